# frozen_string_literal: true

module TaskerCore
  # Which values can be recorded, for those who leave out what can't. Everybody else's are refused by the engine, which
  # says where and why.
  #
  # @api private
  module JSONValue
    # How deep a value may be.
    DEEPEST = 64
    INTEGERS = (-(2**63)..((2**64) - 1))
    private_constant :INTEGERS

    class << self
      # @param value [Object]
      # @param depth [Integer] how many levels there may be
      # @return [Boolean]
      def possible?(value, depth = DEEPEST)
        case value
        when Array then depth.positive? && value.all? { |item| possible?(item, depth - 1) }
        when Hash then depth.positive? && value.all? { |key, item| name?(key) && possible?(item, depth - 1) }
        else plain?(value)
        end
      end

      private

      def plain?(value)
        case value
        when String then text?(value)
        when Float then value.finite?
        when Integer then INTEGERS.cover?(value)
        when nil, true, false then true
        else false
        end
      end

      def name?(key)
        case key
        when String then text?(key)
        when Symbol then text?(key.name)
        else false
        end
      end

      def text?(string)
        string.encoding == Encoding::UTF_8 ? string.valid_encoding? : string.encode(Encoding::UTF_8).valid_encoding?
      rescue EncodingError
        false
      end
    end
  end
end
