# frozen_string_literal: true

module TaskerCore
  # A Time for what is like one, such as an ActiveSupport::TimeWithZone.
  #
  # @api private
  module PlainTime
    # Whatever else it is, the engine refuses.
    def self.of(value)
      value.is_a?(Time) && !value.instance_of?(Time) ? value.to_time : value
    rescue StandardError
      value
    end
  end
end
