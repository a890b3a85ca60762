# frozen_string_literal: true

module TaskerCore
  # A template in a YAML file. What is wrong with it is said with the file and the line.
  #
  # @api private
  class YamlTemplate
    attr_reader :path

    def initialize(path)
      @path = path.to_s
      @lines = {}
    end

    # @return [Hash]
    # @raise [ConfigurationError] when there is no such file
    # @raise [ValidationError] with all faults, when it is no mapping of values that JSON has
    def read
      document = YamlDocument.new(File.binread(path))
      @lines = document.lines
      faults = document.faults
      faults += [["", "a template is a mapping of keys to values", 1]] if faults.empty? && !document.value.is_a?(Hash)
      return document.value if faults.empty?

      raise error(faults.map { |place, message, line| located(ValidationError.fault(place, message), line) })
    rescue SystemCallError, ArgumentError => e
      raise ConfigurationError, "the template #{path} can't be read: #{e.message}"
    end

    # The same error, with the file and the line of each fault.
    def locate(error)
      self.error(error.faults.map { |fault| located(fault, line_of(fault[:path])) })
    end

    private

    def located(fault, line)
      { **fault, message: "#{ValidationError.sentence(fault)} (#{[path, line].compact.join(":")})" }.freeze
    end

    def error(faults)
      ValidationError.new(faults.map { |fault| fault[:message] }.join("; "), faults: faults.freeze)
    end

    # The line of a path, or of the nearest place around it.
    def line_of(path)
      path = path.sub(/(\.[^.\[]*|\[\d+\]|\A[^.\[]+)\z/, "") until path.empty? || @lines[path]
      @lines[path]
    end
  end
end
