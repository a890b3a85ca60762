# frozen_string_literal: true

module TaskerCore
  class Configuration
    # Where the value of a setting comes from: the first that says something of an environment variable, Ruby code, the
    # file, and the default.
    #
    # @api private
    class Layers
      # What a setting is, and who says so.
      Found = Struct.new(:value, :origin)
      # The lines of a backtrace from here on are the gem's own.
      OWN = ::File.expand_path("..", __dir__)
      private_constant :OWN

      # @param settings [Array<Setting>]
      def initialize(settings)
        @settings = settings.to_h { |setting| [setting.name, setting] }
        @in_code = {}
        @defaults = {}
        @lock = Monitor.new
      end

      # @return [Hash{Symbol => Setting}]
      attr_reader :settings

      # @return [Object] what a setting is now
      def value(name) = find(name).value

      # @return [Found]
      def find(name)
        setting = @settings.fetch(name)
        from_environment(setting) || @in_code[name] || from_file[name] || by_default(setting)
      end

      # Keeps what Ruby code says; nil takes back what it said, unless nil is a value.
      def set(name, value)
        setting = @settings.fetch(name)
        if value.nil? && !setting.nil_too?
          @in_code.delete(name)
        else
          @in_code[name] = Found.new(setting.check(value), caller_place)
        end
        value
      end

      # Has a block say what a setting is by default, as `[value, origin]`; nil where it does not know.
      def default(name, &block)
        @defaults[name] = block
      end

      # Names the file; it is read when a setting is asked for.
      def file=(path)
        @lock.synchronize do
          @path = path
          @from_file = nil
        end
      end

      # @return [Boolean] whether somebody named the file
      def file_given? = !@path.nil?

      # @return [String] the file's path, whether it is there or not
      def file = @path || "config/tasker.yml"

      private

      def from_environment(setting)
        text = ENV.fetch(setting.variable, nil)
        return if text.nil? || text.strip.empty? || setting.in_code?

        Found.new(setting.check(setting.parse(text)), "environment variable #{setting.variable}")
      rescue ConfigurationError, ValidationError => e
        raise ConfigurationError, "#{setting.variable}: #{e.message.delete_prefix("#{setting.name}: ")}"
      end

      def from_file
        @from_file || @lock.synchronize do
          @from_file ||= File.new(file, Environments.current, @settings).values.transform_values do |found|
            Found.new(*found)
          end
        end
      end

      def by_default(setting)
        said = @defaults[setting.name]&.call
        said ? Found.new(*said) : Found.new(setting.default, "default")
      end

      # The line that set it, as its author knows it.
      def caller_place
        place = caller_locations(2).find { |line| !line.path.to_s.start_with?(OWN) }
        return "Ruby code" unless place

        "#{place.path.delete_prefix("#{Dir.pwd}/")}:#{place.lineno}"
      end
    end
  end
end
