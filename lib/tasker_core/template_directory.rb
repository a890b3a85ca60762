# frozen_string_literal: true

module TaskerCore
  # The templates in the YAML files of a directory and of those in it.
  #
  # @api private
  class TemplateDirectory
    PATTERN = "**/*.{yml,yaml}"
    private_constant :PATTERN

    # @param path [String, Pathname]
    def initialize(path)
      @path = File.path(path)
    rescue ArgumentError => e
      raise ConfigurationError, "the directory #{path.inspect} can't be read: #{e.message}"
    rescue TypeError
      raise ValidationError.at("path", "is a directory's path", expected: "a String or a Pathname",
                                                                got: Native.shown(path))
    end

    # @param native [Native::Handle] whose limits hold
    # @return [Array<Array(Definition, Array<String>)>] each with its key, in the order of the paths
    # @raise [ConfigurationError] when there is no such directory
    # @raise [ValidationError] with the faults of all files
    def definitions(native)
      faults = []
      checked = files.filter_map { |file| check(file, native, faults) }
      faults.concat(defined_twice(checked))
      return checked.map { |_, definition, key| [definition, key] } if faults.empty?

      raise ValidationError.new(faults.map { |fault| fault[:message] }.join("; "), faults: faults.freeze)
    end

    private

    def files
      raise ConfigurationError, "there is no directory #{@path}" unless Dir.exist?(@path)

      Dir.glob(PATTERN, base: @path).map { |name| File.join(@path, name) }.select { |file| File.file?(file) }.sort
    rescue SystemCallError => e
      raise ConfigurationError, "the directory #{@path.inspect} can't be read: #{e.message}"
    end

    def check(file, native, faults)
      definition = Definition.new(file, {})
      [file, definition, definition.check(native)]
    rescue ValidationError => e
      faults.concat(e.faults) && nil
    rescue ConfigurationError => e
      faults.push(ValidationError.fault("", e.message)) && nil
    end

    def defined_twice(checked)
      several = checked.group_by(&:last).select { |_, group| group.size > 1 }
      several.map do |(namespace, name, version), group|
        files = group.map(&:first).join(" and in ")
        ValidationError.fault("name", "the template #{namespace}/#{name} #{version} is defined in #{files}")
      end
    end
  end
end
