# frozen_string_literal: true

module TaskerCore
  module Testing
    # Whether a JSON value is like what a test says: with Symbols for Strings, classes, patterns, and RSpec's argument
    # matchers (`hash_including`, `a_kind_of`) anywhere in it.
    #
    # @api private
    module Likeness
      module_function

      # A matcher is asked with Strings as keys and with Symbols.
      def like?(expected, actual)
        expected = plain(expected)
        same?(expected, actual) || same?(expected, symbolized(actual))
      end

      # How a message shows what is expected: by RSpec's words, where it is loaded.
      def shown(expected)
        return expected.inspect unless defined?(::RSpec::Matchers::Composable)

        named = ::RSpec::Matchers::Composable.surface_descriptions_in(expected)
        ::RSpec::Support::ObjectFormatter.format(named)
      end

      # What JSON makes of it; what is no JSON value stays.
      def plain(value)
        case value
        when Symbol then value.name
        when Hash then value.to_h { |key, inner| [key.is_a?(Symbol) ? key.name : key, plain(inner)] }
        when Array then value.map { |inner| plain(inner) }
        else value
        end
      end

      def symbolized(value)
        case value
        when Hash then value.to_h { |key, inner| [key.to_sym, symbolized(inner)] }
        when Array then value.map { |inner| symbolized(inner) }
        else value
        end
      end

      def same?(expected, actual)
        case [expected, actual]
        in [Hash, Hash] then hashes?(expected, actual)
        in [Array, Array] then arrays?(expected, actual)
        else expected == actual || expected === actual # rubocop:disable Style/CaseEquality -- matchers answer to it
        end
      end

      def arrays?(expected, actual)
        expected.size == actual.size && expected.zip(actual).all? { |one, other| same?(one, other) }
      end

      def hashes?(expected, actual)
        actual = actual.transform_keys(&:name) if actual.keys.first.is_a?(Symbol)
        expected.size == actual.size &&
          expected.all? { |key, value| actual.key?(key) && same?(value, actual[key]) }
      end

      private_class_method :plain, :symbolized, :same?, :arrays?, :hashes?
    end
  end
end
