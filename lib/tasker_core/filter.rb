# frozen_string_literal: true

module TaskerCore
  # Hides the values of keys that are named like secrets where people look: in `inspect` and `pp`, in errors and logs.
  # Never in what handlers see or in what is stored. See {Configuration#filter}.
  #
  # @api private
  class Filter
    HIDDEN = "[FILTERED]"
    # What a key contains whose value nobody should read by the way.
    NAMES = %w[passw passphrase secret token _key apikey api-key authorization crypt salt certificate otp ssn cvv
               cvc].freeze

    class << self
      # That of the configuration; in other Ractors than the main one, the one that it has unless it is told otherwise.
      def current
        TaskerCore.configuration.compiled_filter
      rescue Ractor::IsolationError
        DEFAULT
      end
    end

    # @return [Array<String, Regexp>] as given, Symbols as Strings; frozen
    attr_reader :names

    # @param names [Array<String, Symbol, Regexp>] parts of keys, in whatever case, or patterns
    # @raise [ConfigurationError] when one is something else
    def initialize(names)
      @names = names.map { |name| part(name) }.freeze
      @pattern = Regexp.union(@names.map { |name| name.is_a?(Regexp) ? name : /#{Regexp.escape(name)}/i })
      Ractor.make_shareable(self)
    end

    # @return [Boolean] whether the value of such a key is not to be shown
    def hides?(key) = @pattern.match?(key.to_s)

    # A copy of a JSON value, or of a Hash with other values in it, in which what is to be hidden is.
    def apply(value)
      case value
      when Hash then value.to_h { |key, inner| [key, hides?(key) ? HIDDEN : apply(inner)] }
      when Array then value.map { |inner| apply(inner) }
      else value
      end
    end

    # `name: value` for each, as `inspect` says it.
    def list(fields)
      fields.map { |name, value| "#{name}: #{apply(value).inspect}" }.join(", ")
    end

    private

    def part(name)
      case name
      when Regexp then name
      when String, Symbol then name.to_s.dup.freeze
      else raise ConfigurationError, "filter: takes Strings, Symbols and Regexps, not #{Native.shown(name)}"
      end
    end

    DEFAULT = new(NAMES)
    private_constant :DEFAULT
  end
end
