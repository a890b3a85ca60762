# frozen_string_literal: true

module TaskerCore
  class Configuration
    # One setting: its name, what it is when nobody says anything, and what it may be. A kind of setting is a subclass.
    #
    # @api private
    class Setting
      # @return [Symbol]
      attr_reader :name
      attr_reader :default

      # @param nil_too [Boolean] whether nil is a value of it, and not the lack of one
      # @param in_code [Boolean] whether it can be given in Ruby only
      def initialize(name, default = nil, nil_too: false, in_code: false)
        @name = name
        @default = default
        @nil_too = nil_too
        @in_code = in_code
      end

      # @return [String] the environment variable that sets it
      def variable = "TASKER_#{name.upcase}"

      def nil_too? = @nil_too
      def in_code? = @in_code

      # @return [Object] what an environment variable says, as a value
      def parse(text) = text

      # @return [Object] the value as it is kept
      # @raise [ConfigurationError, ValidationError] when it can't be one
      def check(value) = value

      # @return [Object] the value for people and for JSON
      def shown(value) = value

      private

      def refuse(expected, value)
        raise ConfigurationError, "#{name}: #{expected}, not #{Native.shown(value)}"
      end
    end

    # A number of things.
    #
    # @api private
    class Count < Setting
      def initialize(name, default, most: 1_000)
        super(name, default)
        @most = most
      end

      def parse(text) = Integer(text, 10, exception: false) || text

      def check(value)
        value.is_a?(Integer) && value.between?(1, @most) ? value : refuse("is 1 to #{@most}", value)
      end
    end

    # Seconds.
    #
    # @api private
    class Span < Setting
      def parse(text) = Integer(text, 10, exception: false) || Float(text, exception: false) || text

      def check(value)
        seconds = Seconds.parse(value, name.to_s)
        raise ConfigurationError, "#{name}: is above 0 seconds, or nil" if nil_too? && seconds&.zero?

        value
      end

      def shown(value) = value.nil? || value.is_a?(Integer) ? value : value.to_f
    end

    # A database's URL.
    #
    # @api private
    class Url < Setting
      def check(value)
        Native.check_url(value)
        value
      rescue ConfigurationError => e
        raise ConfigurationError, "#{name}: #{e.message}"
      end

      def shown(value) = Native.redacted_url(value)
    end

    # One of a few words, or any.
    #
    # @api private
    class Word < Setting
      def initialize(name, default = nil, words: nil, **options)
        super(name, default, **options)
        @words = words
      end

      def check(value)
        return value if value.nil? && nil_too?
        return refuse("is a name", value) unless value.is_a?(String) || value.is_a?(Symbol)
        return value.to_sym if @words.nil? || @words.include?(value.to_sym)

        raise ConfigurationError, "#{name}: is #{@words.join(" or ")}, not #{value.inspect}" \
                                  "#{Nearest.hint(value, @words)}"
      end

      def shown(value) = value&.to_s
    end

    # Several words, with commas between them in an environment variable.
    #
    # @api private
    class Words < Setting
      def parse(text) = text.split(",").map(&:strip).reject(&:empty?)

      def check(value)
        return value if value.nil? && nil_too?

        names = Array(value)
        ok = !names.empty? && names.all? { |name| name.is_a?(String) || name.is_a?(Symbol) }
        ok ? names.map(&:to_s).freeze : refuse("is a list of names", value)
      end
    end

    # What is hidden from people: see {Filter}.
    #
    # @api private
    class Hidden < Words
      def check(value)
        refuse("is an Array of Strings, Symbols and Regexps", value) unless value.is_a?(Array)
        Filter.new(value).names
      end

      def shown(value) = value.map { |name| name.is_a?(Regexp) ? name.inspect : name }
    end

    # An object with certain methods.
    #
    # @api private
    class Duck < Setting
      def initialize(name, methods, lack)
        super(name, nil, nil_too: true, in_code: true)
        @methods = methods
        @lack = lack
      end

      def check(value)
        return value if value.nil? || @methods.all? { |name| value.respond_to?(name) }

        raise ConfigurationError, "#{name}: a #{value.class} #{@lack}"
      end

      def shown(value) = value&.class&.name
    end
  end
end
