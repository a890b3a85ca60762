# frozen_string_literal: true

require "psych"

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
    def read
      text = File.read(path, mode: "rb:bom|utf-8")
      document = Psych.parse(text, filename: path)
      walk(document.root, "") if document
      template = Psych.safe_load(text, permitted_classes: [], aliases: true, filename: path)
      template.is_a?(Hash) ? template : refuse("", "a template is a mapping of keys to values")
    rescue SystemCallError, ArgumentError => e
      raise ConfigurationError, "the template #{path} can't be read: #{e.message}"
    rescue Psych::SyntaxError => e
      refuse("", "#{e.problem} #{e.context}".strip, line: e.line)
    rescue Psych::Exception => e
      refuse("", "holds a value that JSON doesn't have; quote it if it is text (#{e.message})")
    end

    # The same error, with the file and the line of each fault.
    def locate(error)
      located = error.faults.map do |fault|
        line = line_of(fault[:path])
        { **fault, message: "#{ValidationError.sentence(fault)} (#{[path, line].compact.join(":")})" }.freeze
      end
      ValidationError.new(located.map { |fault| fault[:message] }.join("; "), faults: located.freeze)
    end

    private

    # Notes where each value stands, and refuses a key that is given twice: YAML would keep the last.
    def walk(node, path)
      @lines[path] ||= node.start_line + 1
      case node
      when Psych::Nodes::Mapping then walk_mapping(node, path)
      when Psych::Nodes::Sequence
        node.children.each_with_index { |child, index| walk(child, "#{path}[#{index}]") }
      end
    end

    def walk_mapping(node, path)
      met = {}
      node.children.each_slice(2) do |key, value|
        name = key.respond_to?(:value) ? key.value : key.class.name
        place = path.empty? ? name : "#{path}.#{name}"
        refuse(place, "is given twice", line: key.start_line + 1) if met[name] && name != "<<"
        met[name] = true
        @lines[place] = key.start_line + 1
        walk(value, place)
      end
    end

    # The line of a path, or of the nearest place around it.
    def line_of(path)
      path = path.sub(/(\.[^.\[]*|\[\d+\]|\A[^.\[]+)\z/, "") until path.empty? || @lines[path]
      @lines[path]
    end

    def refuse(fault_path, message, line: @lines[""])
      fault = ValidationError.fault(fault_path, message)
      text = "#{ValidationError.sentence(fault)} (#{[path, line].compact.join(":")})"
      raise ValidationError.new(text, faults: [{ **fault, message: text }.freeze].freeze)
    end
  end
end
