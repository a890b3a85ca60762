# frozen_string_literal: true

require "erb"

module TaskerCore
  class Configuration
    # `config/tasker.yml`: what it sets in one environment, and in which line. Each environment has a mapping of its
    # own, by its name; what stands under `shared` holds in all of them. ERB in it is run first.
    #
    # @api private
    class File
      SHARED = "shared"
      private_constant :SHARED

      # @return [String] where it is
      attr_reader :path

      # @param path [String, Pathname]
      # @param environment [String] such as `production`
      # @param settings [Hash{Symbol => Setting}] those there are
      def initialize(path, environment, settings)
        @path = path.to_s
        @environment = environment
        @settings = settings
      end

      # @return [Hash{Symbol => Array(Object, String)}] value and place by name
      # @raise [ConfigurationError] with everything that is wrong with it
      def values
        return {} unless ::File.file?(path)

        document = YamlDocument.new(evaluated)
        faults = document.faults.map { |place, message, line| fault(line, place, message) }
        found = faults.empty? ? read(document, faults) : {}
        raise ConfigurationError, faults.join("; ") unless faults.empty?

        found
      end

      private

      def evaluated
        template = ERB.new(::File.read(path), trim_mode: "-")
        template.filename = path
        template.result(TOPLEVEL_BINDING.dup)
      rescue SystemCallError => e
        raise ConfigurationError, "#{path}: #{e.message}"
      rescue StandardError, ScriptError => e
        line = e.backtrace_locations&.find { |at| at.path == path }&.lineno
        raise ConfigurationError, "#{[path, line].compact.join(":")}: its ERB failed: #{e.class}: #{e.message}"
      end

      def read(document, faults)
        return {} if document.value.nil?

        environments = document.value
        unless environments.is_a?(Hash)
          faults << fault(1, "", "is a mapping of environments to their settings")
          return {}
        end
        environments.each_key { |name| check(name, environments[name], document, faults) }
        [SHARED, @environment].reduce({}) do |found, name|
          { **found, **settings_of(name, environments[name] || {}, document, faults) }
        end
      end

      # Every environment's, so that a fault in production's is found before production.
      def check(name, own, document, faults)
        return if own.nil?
        return known(name, own, document, faults) if own.is_a?(Hash)

        why = if @settings.key?(name.to_sym)
                "is a setting: it stands under an environment, or under #{SHARED}: for all of them"
              else
                "is an environment, a mapping of settings to values"
              end
        faults << fault(document.lines[name], name, why)
      end

      def known(environment, own, document, faults)
        own.each_key do |name|
          setting = @settings[name.to_sym]
          next if setting && !setting.in_code?

          line = document.lines["#{environment}.#{name}"]
          faults << fault(line, name, setting ? "can be set in Ruby only" : "there is no such setting#{hint(name)}")
        end
      end

      def hint(name) = Nearest.hint(name, @settings.reject { |_, setting| setting.in_code? }.keys)

      def settings_of(environment, own, document, faults)
        return {} unless own.is_a?(Hash)

        own.filter_map do |name, value|
          setting = @settings[name.to_sym]
          next if setting.nil? || setting.in_code? || (value.nil? && !setting.nil_too?)

          line = document.lines["#{environment}.#{name}"]
          [setting.name, [setting.check(value), "#{path}:#{line}"]]
        rescue ConfigurationError, ValidationError => e
          faults << fault(line, "", e.message)
          nil
        end.to_h
      end

      def fault(line, place, message)
        "#{path}:#{line}: #{place.empty? ? message : "#{place}: #{message}"}"
      end
    end
  end
end
