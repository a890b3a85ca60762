# frozen_string_literal: true

module TaskerCore
  # Spans of time that users give.
  #
  # @api private
  module Seconds
    module_function

    # @param value [Numeric, nil] or what knows its seconds, such as an ActiveSupport::Duration
    # @param path [String] what it is called
    # @return [Float, nil]
    # @raise [ValidationError]
    def parse(value, path)
      return if value.nil?

      number = value.is_a?(Numeric) || value.respond_to?(:in_seconds) ? value.to_f : -1.0
      return number if number.finite? && !number.negative?

      raise ValidationError.at(path, "is a number of seconds, 0 or more", expected: "seconds", got: value.inspect)
    end
  end
end
