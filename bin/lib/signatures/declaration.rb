# frozen_string_literal: true

module Signatures
  # A class or a module, with all that is public in it.
  class Declaration
    # What a constant is by what it is written as.
    LITERALS = { /\A"/ => "String", /\A\d[\d_]*\z/ => "Integer", /\A\d[\d_]*\.\d+\z/ => "Float",
                 /\A%i\[|\A\[:/ => "Array[Symbol]", /\A%w\[/ => "Array[String]" }.freeze

    # Ruby's own modules that add to what a user can call.
    MIXINS = %w[Comparable Enumerable Singleton].freeze

    # @return [Array<String>] what lacks a type; known when {#text} was made
    attr_reader :faults

    # @param object [YARD::CodeObjects::NamespaceObject]
    def initialize(object)
      @object = object
      @types = Types.new(object)
      @faults = []
    end

    # @return [String]
    def text
      parts = [constants, mixins, methods].reject(&:empty?)
      body = parts.map { |lines| lines.map { |line| "  #{line}\n" }.join }
      "#{head}\n#{body.join("\n")}end\n"
    end

    private

    def head
      parent = @object.type == :class ? superclass : "Object"
      "#{@object.type} #{@object.path}#{" < #{parent}" unless parent == "Object"}"
    end

    # The nearest that is public.
    def superclass
      parent = @object.superclass
      parent = parent.superclass while parent.is_a?(YARD::CodeObjects::ClassObject) && !Signatures.public?(parent)
      Types::CORE.key?(parent.path) ? "#{parent.path}[untyped]" : parent.path
    end

    def constants
      found = @object.constants(inherited: false, included: false).select { |one| Signatures.public?(one) }
      each_of(found) { |constant| "#{constant.name}: #{constant_type(constant)}" }
    end

    def constant_type(constant)
      documented = constant.tag(:return)
      return @types.union(documented.types) if documented

      LITERALS.find { |pattern, _| constant.value.match?(pattern) }&.last or
        raise Types::Unknown, "no @return says what it is"
    end

    def mixins
      { "include" => @object.instance_mixins, "extend" => @object.class_mixins }.flat_map do |word, modules|
        modules.select { |one| mixin?(one) }.map { |one| "#{word} #{mixin(one)}" }
      end
    end

    def mixin?(found)
      found.is_a?(YARD::CodeObjects::ModuleObject) ? Signatures.public?(found) : MIXINS.include?(found.path)
    end

    def mixin(found)
      return found.path unless found.path == "Enumerable"

      each = @object.meths.find { |method| method.name == :each && method.scope == :instance }
      "Enumerable[#{@types.union(each.tag(:yieldparam).types)}]"
    end

    def methods
      found = @object.meths(inherited: false, included: false).select { |method| Signatures.public?(method) }
      each_of(found) { |method| line(method) }
    end

    def each_of(objects)
      objects.filter_map do |object|
        yield object
      rescue Types::Unknown => e
        @faults << "#{object.file}:#{object.line}: #{object.path}: #{e.message}"
        nil
      end
    end

    def line(method)
      return "alias #{method.name} #{original(method)}" if method.is_alias? && original(method)

      method.is_attribute? ? attribute(method) : Function.new(method).text
    end

    def original(method)
      name = @object.aliases[method]
      found = @object.meths(inherited: false).find { |one| one.name == name && one.scope == method.scope }
      name if found && method.scope == :instance && Signatures.public?(found)
    end

    # A writer is documented with its reader.
    def attribute(method)
      receiver = "self." if method.scope == :class
      name = method.name.to_s.delete_suffix("=")
      types = method.tag(:return)&.types || method.attr_info[:read]&.tag(:return)&.types
      "attr_#{method.writer? ? "writer" : "reader"} #{receiver}#{name}: #{Types.new(method).union(types)}"
    end
  end
end
