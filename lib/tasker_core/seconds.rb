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
      return if nil.equal?(value)

      number = number(value)
      return number if number.finite? && !number.negative?

      raise ValidationError.at(path, "is a number of seconds, 0 or more", expected: "seconds",
                                                                          got: Native.shown(value))
    end

    # What can't even be asked whether it is a span is none.
    def number(value)
      value.is_a?(Numeric) || value.respond_to?(:in_seconds) ? value.to_f : Float::NAN
    rescue StandardError
      Float::NAN
    end
    private_class_method :number
  end
end
