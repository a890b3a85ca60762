# frozen_string_literal: true

require "strscan"

module Signatures
  # Turns the types of tags (`Hash{String => #call}`, `Array(String, Integer)`, `Boolean`) into RBS.
  class Types
    # A type that RBS can't be made of.
    class Unknown < StandardError; end

    WORDS = { "Boolean" => "bool", "Object" => "untyped", "void" => "void", "self" => "self", "nil" => "nil",
              "true" => "true", "false" => "false" }.freeze
    # Core classes, with as many parameters as RBS gives them.
    CORE = { "Array" => 1, "Hash" => 2, "Enumerable" => 1, "Enumerator" => 2, "Range" => 1, "Struct" => 1 }.freeze
    PLAIN = %w[Binding Class Comparable Exception Float IO Integer KeyError Method Module NilClass Numeric Proc
               Rational Regexp StandardError String Symbol Thread Time].freeze
    # What Ruby's own library brings.
    LIBRARIES = { "Logger" => "logger", "OptionParser" => "optparse", "Pathname" => "pathname", "URI" => "uri",
                  "URI::HTTP" => "uri", "URI::Generic" => "uri", "Singleton" => "singleton" }.freeze
    # Modules that stand for their objects.
    INSTANCES = { "URI" => "URI::Generic" }.freeze
    # Classes of gems that have no types here.
    FOREIGN = /\A(?:ActiveJob|ActiveRecord|ActiveSupport|Rails|RSpec|Minitest|Puma|Rack)\b/

    # Whether a class stands on one that has types.
    def self.superclass?(object)
      parent = object.superclass
      return true if parent.is_a?(YARD::CodeObjects::ClassObject)

      ["Object", *CORE.keys, *PLAIN, *LIBRARIES.keys].include?(parent.path)
    end

    # @param object [YARD::CodeObjects::Base] where the types stand
    def initialize(object)
      @object = object
    end

    # @param types [Array<String>, nil] as a tag has them
    # @return [String]
    def union(types)
      raise unknown("no type") if types.nil? || types.empty?

      together(types.map { |type| one(type) })
    end

    # @return [String] the type of each of what a splat takes
    def each_of(types)
      union(types)[/\A(?:Array|Hash)\[(?:\w+, )?(.+)\]\z/, 1] || "untyped"
    end

    # @return [String] the name of a class or module
    def name(path)
      return INSTANCES.fetch(path, path) if PLAIN.include?(path) || LIBRARIES.key?(path)
      return "untyped" if path.match?(FOREIGN)

      found = YARD::Registry.resolve(scope, path, true)
      raise unknown("#{path} is unknown") unless found
      raise unknown("#{path} is private") unless Signatures.public?(found)

      found.path
    end

    private

    def scope
      @object.is_a?(YARD::CodeObjects::NamespaceObject) ? @object : @object.namespace
    end

    def unknown(message) = Unknown.new(message)

    def one(type)
      scanner = StringScanner.new(type)
      found = parse(scanner)
      raise unknown("#{type}: #{scanner.rest} is left over") unless scanner.eos?

      found
    end

    # nil makes what is beside it optional; anything beside untyped is untyped.
    def together(types)
      types = types.uniq
      return "untyped" if types.include?("untyped")
      return types.first if types.size == 1

      rest = types - ["nil"]
      rest = (rest - %w[true false]) | ["bool"] if (%w[true false] - rest).empty?
      joined = rest.size == 1 ? rest.first : "(#{rest.join(" | ")})"
      types.include?("nil") ? "#{joined}?" : joined
    end

    def parse(scanner)
      scanner.skip(/\s+/)
      return literal(scanner) if scanner.match?(/[:"]/)
      return callable(scanner) if scanner.match?(/#/)

      word = scanner.scan(/[A-Za-z_][\w:]*/) or raise unknown("#{scanner.string} is no type")
      return WORDS[word] if WORDS.key?(word)

      arguments(word, scanner)
    end

    def literal(scanner)
      scanner.scan(/:\w+[?!]?|"[^"]*"/) or raise unknown("#{scanner.string} is no type")
    end

    def callable(scanner)
      scanner.scan(/#call\b/) or raise unknown("#{scanner.string} has no interface")
      "TaskerCore::_Callable"
    end

    def arguments(word, scanner)
      case scanner.scan(/[<({]/)
      when "<" then generic(word, list(scanner, ">"))
      when "(" then "[#{list(scanner, ")").join(", ")}]"
      when "{" then pair(scanner)
      else plain(word)
      end
    end

    def plain(word)
      CORE.key?(word) ? "#{word}[#{(["untyped"] * CORE[word]).join(", ")}]" : name(word)
    end

    # `Class<Workflow>` is the class itself.
    def generic(word, types)
      return types == ["untyped"] ? "Class" : "singleton(#{types.first})" if word == "Class"

      "#{word}[#{[bare(together(types)), *(["untyped"] * (CORE.fetch(word) - 1))].join(", ")}]"
    end

    def pair(scanner)
      keys = list(scanner, "=>")
      "Hash[#{bare(together(keys))}, #{bare(together(list(scanner, "}")))}]"
    end

    # Between brackets a union needs no parentheses.
    def bare(type) = type.match?(/\A\([^()]*\)\z/) ? type[1..-2] : type

    def list(scanner, closing)
      found = [parse(scanner)]
      found << parse(scanner) while scanner.skip(/\s*,/)
      scanner.skip(/\s*#{Regexp.escape(closing)}/) or raise unknown("#{scanner.string} lacks #{closing}")
      found
    end
  end
end
