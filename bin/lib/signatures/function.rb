# frozen_string_literal: true

module Signatures
  # A method: what it takes and gives.
  class Function
    # @param method [YARD::CodeObjects::MethodObject]
    def initialize(method)
      @method = method
    end

    # @return [String] the line, or the lines
    def text
      "def #{receiver}#{@method.name}: #{shapes.uniq.join("\n    | ")}"
    end

    # @return [Array<String>] each way to call it
    def shapes
      other = passed_on
      return Function.new(other).shapes if other

      overloads = @method.tags(:overload)
      overloads.empty? ? [shape(@method)] : overloads.map { |overload| shape(overload) }
    end

    # @return [Array<String>] what it takes by keyword
    def keywords
      types = Types.new(@method)
      named = parameters(@method).select { |name, _| name.end_with?(":") || name.start_with?("**") }
      named.flat_map { |name, default| parameter(@method, types, name, default) }
    end

    private

    def receiver
      return "" if @method.scope == :instance

      @method.module_function? ? "self?." : "self."
    end

    # @param documented [YARD::CodeObjects::MethodObject, YARD::Tags::OverloadTag]
    def shape(documented)
      types = Types.new(@method)
      written = parameters(documented).flat_map { |name, default| parameter(documented, types, name, default) }
      "(#{listed(written)})#{block(documented, types)} -> #{returned(documented, types)}"
    end

    # On one line, or each on its own.
    def listed(parameters)
      line = parameters.join(", ")
      line.size > 80 ? "#{parameters.map { |one| "\n      #{one}" }.join(",")}\n    " : line
    end

    # A method that passes all it is given on to another says `@return (see Other#method)`.
    def passed_on
      @method.docstring.ref_tags.find { |tag| tag.tag_name == "return" }&.owner
    end

    def parameters(documented)
      documented.parameters.reject { |name, _| name.start_with?("&") }
    end

    def parameter(documented, types, name, default)
      plain = name.delete("*:")
      options = options(documented, types, name)
      return options if options.any?

      given = documented_types([documented, @method, *@method.tags(:overload)], plain)
      given = ["Object"] if given.nil? && (name.start_with?("*") || plain.start_with?("_") || operator?)
      raise Types::Unknown, "#{plain} has no @param" unless given

      write(types, name, plain, given, optional: !default.nil?)
    end

    # What a double splat takes where that is documented: each `@option`, and all keywords of the methods that the text
    # of its `@param` names, but those that are parameters by themselves or stand behind the word "without".
    def options(documented, types, name)
      return [] unless name.start_with?("**")

      own = documented.tags(:option).select { |tag| name == "**#{tag.name}" }.map(&:pair)
      own = own.map { |one| "?#{one.name.delete(":")}: #{types.union(one.types)}" }
      taken = parameters(documented).map { |parameter, _| parameter.delete(":") }
      # None of them is needed: what needs one says so with a parameter.
      passed = passed_to(documented, name.delete("*")).reject { |one| taken.include?(one[/\w+/]) }
      own + passed.map { |one| "?#{one.delete_prefix("?")}" }
    end

    def passed_to(documented, plain)
      text = documented.tags(:param).find { |tag| tag.name.delete("*") == plain }&.text.to_s
      without = text[/without (.+)/m, 1].to_s.scan(/`(\w+)`/).flatten
      others = text.scan(/\{([\w:]*[#.]\w+)[^}]*\}/).flatten.map { |path| method_at(path) }
      others.flat_map { |other| Function.new(other).keywords }.reject { |one| without.include?(one[/\w+/]) }
    end

    def method_at(path)
      place, mark, name = path.rpartition(/[#.]/)
      namespace = place.empty? ? @method.namespace : YARD::Registry.resolve(@method.namespace, place, true)
      scope = mark == "#" ? :instance : :class
      found = namespace&.meths&.find { |one| one.name.to_s == name && one.scope == scope }
      found or raise Types::Unknown, "#{path} is unknown"
    end

    # An overload says what it doesn't share with the others.
    def documented_types(places, plain)
      places.flat_map { |place| place.tags(:param) }.find { |tag| tag.name.delete("*:") == plain }&.types
    end

    def operator? = @method.name.match?(/\A\W+\z|\Aeql\?\z/)

    def write(types, name, plain, given, optional:)
      mark = "?" if optional
      if name.start_with?("**") then "**#{types.each_of(given)}"
      elsif name.start_with?("*") then "*#{types.each_of(given)}#{" #{plain}" unless plain.empty?}"
      elsif name.end_with?(":") then "#{mark}#{plain}: #{types.union(given)}"
      else
        "#{mark}#{types.union(given)} #{plain}"
      end
    end

    def block(documented, types)
      taken = documented.tags(:yieldparam)
      return unless taken.any? || documented.tag(:yield) || documented.tag(:yieldreturn)

      given = documented.tag(:yieldreturn)&.types
      " ?{ (#{taken.map { |tag| types.union(tag.types) }.join(", ")}) -> #{given ? types.union(given) : "untyped"} }"
    end

    def returned(documented, types)
      return "void" if @method.name == :initialize

      found = documented.tag(:return) || @method.tag(:return)
      raise Types::Unknown, "no @return" unless found

      types.union(found.types)
    end
  end
end
