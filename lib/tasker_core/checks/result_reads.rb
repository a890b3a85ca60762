# frozen_string_literal: true

require "ripper"

module TaskerCore
  module Checks
    # Which results a handler reads, found in its source: `ctx.result(:name)`, `ctx.results["name"]` and
    # `ctx.results.fetch("name")` with literal names. Not found are names that are made at run time, what is read in
    # methods of other objects, and all of a handler whose source can't be read.
    #
    # @api private
    class ResultReads
      # A result that is read, and where.
      Read = Struct.new(:name, :place, keyword_init: true)

      # @param handler [Class, #call, String, Symbol] as a template has it
      # @return [Array<Read>]
      def self.of(handler)
        handler = Object.const_get(handler.to_s) if handler.is_a?(String) || handler.is_a?(Symbol)
        new(handler).reads
      rescue NameError
        []
      end

      # @param list [#call] what makes the list of a step: it is given the results themselves, and maybe the context
      # @return [Array<Read>]
      def self.of_list(list)
        return [] unless list.is_a?(Proc)

        results, context = list.parameters.map { |_, name| name.to_s }
        node = results && Source.of(list)&.block(list, results)
        node ? (node.indexes([results]) + node.reads([context].compact)).uniq : []
      end

      def initialize(handler)
        @handler = handler
      end

      # @return [Array<Read>]
      def reads
        return of_block if @handler.is_a?(Proc)

        methods = callables
        call = methods.find { |method| method.name == :call } or return []
        context = first_parameter(call) or return []
        nodes = methods.filter_map { |method| definition(method) }
        kept = nodes.flat_map { |node| node.kept(context) }
        nodes.flat_map { |node| node.takes?(context) ? node.reads([context, *kept]) : node.reads(kept) }.uniq
      end

      private

      def of_block
        context = first_parameter(@handler)
        node = context && Source.of(@handler)&.block(@handler, context)
        node ? node.reads([context]).uniq : []
      end

      # The method `call`, and what stands beside it in the user's own classes.
      def callables
        return instance_methods_of(@handler) if @handler.is_a?(Class) && @handler.method_defined?(:call)
        return [@handler] if @handler.is_a?(Method)
        return [@handler.method(:call)] if @handler.is_a?(Module)

        instance_methods_of(@handler.class)
      end

      def instance_methods_of(owner)
        owner.ancestors.take_while { |found| ![StepHandler, Object].include?(found) }.flat_map do |found|
          names = found.instance_methods(false) + found.private_instance_methods(false)
          names.map { |name| found.instance_method(name) }
        end
      end

      # Where a method is defined, with `def` or with `define_method` and a block.
      def definition(method)
        source = Source.of(method) or return
        parameter = first_parameter(method)
        source.method(method) || (parameter && source.block(method, parameter))
      end

      def first_parameter(callable)
        kind, name = callable.parameters.first
        name.to_s if name && %i[req opt].include?(kind)
      end
    end

    # A file, parsed.
    #
    # @api private
    class Source
      @files = {}

      class << self
        # @return [Source, nil] of the file that a method or a block stands in
        def of(callable)
          file, = callable.source_location
          return if file.nil? || !File.file?(file)

          @files[file] ||= new(file)
        end
      end

      def initialize(file)
        @file = file
        @tree = Ripper.sexp(File.read(file))
      end

      # @return [Node, nil] the method's definition
      def method(method)
        line = method.source_location.last
        found = search(@tree, %i[def defs]) do |node|
          name = node.first == :def ? node[1] : node[3]
          name[1] == method.name.to_s && name[2].first == line
        end
        found.one? ? Node.new(@file, found.first) : nil
      end

      # @return [Node, nil] the block or lambda that begins on this line with this parameter; nil where there are two
      def block(block, parameter)
        line = block.source_location.last
        found = search(@tree, %i[brace_block do_block lambda]) do |node|
          first = Node.tokens(node[1] || []).first
          first ? first[2].first == line && first[1] == parameter : parameter.start_with?("_") && starts?(node, line)
        end
        found.one? ? Node.new(@file, found.first) : nil
      end

      private

      def starts?(node, line)
        first = Node.tokens(node).first
        first && first[2].first.between?(line, line + 1)
      end

      # The outermost nodes of these kinds of which the block says that they are meant.
      def search(node, kinds, &meant)
        return [] unless node.is_a?(Array)
        return [node] if kinds.include?(node.first) && meant.call(node)

        node.flat_map { |child| search(child, kinds, &meant) }
      end
    end

    # A part of a parsed file.
    #
    # @api private
    class Node
      # The tokens in a tree, in their order.
      def self.tokens(tree)
        return [] unless tree.is_a?(Array)
        return [tree] if tree.first.is_a?(Symbol) && tree.first.start_with?("@")

        tree.flat_map { |child| tokens(child) }
      end

      def initialize(file, tree)
        @file = file
        @tree = tree
      end

      # @return [Boolean] whether this definition has a parameter of this name
      def takes?(name)
        parameters = @tree[{ def: 2, defs: 4 }.fetch(@tree.first, 1)]
        Node.tokens(parameters).any? { |token| token[1] == name }
      end

      # @return [Array<String>] the instance variables that a local variable is assigned to
      def kept(name)
        all(@tree, :assign).filter_map do |_, target, value|
          variable = Node.tokens(target).first
          variable[1] if variable&.first == :@ivar && Node.tokens(value).map { |token| token[1] } == [name]
        end
      end

      # @return [Array<ResultReads::Read>] what is read of a context that has one of these names
      def reads(contexts)
        calls = all(@tree, :method_add_arg).filter_map { |_, call, arguments| read_call(call, arguments, contexts) }
        commands = all(@tree, :command_call).filter_map do |_, receiver, _dot, name, arguments|
          read_call([:call, receiver, nil, name], arguments, contexts)
        end
        indexed = all(@tree, :aref).filter_map do |_, receiver, index|
          read(index, receiver) if results?(receiver, contexts)
        end
        calls + commands + indexed
      end

      # @return [Array<ResultReads::Read>] what is read of a Hash of results that has one of these names
      def indexes(names)
        indexed = all(@tree, :aref).filter_map do |_, receiver, index|
          read(index, receiver) if context?(receiver, names)
        end
        fetched = all(@tree, :method_add_arg).filter_map do |_, call, arguments|
          read(arguments, call) if call.first == :call && call[3][1] == "fetch" && context?(call[1], names)
        end
        indexed + fetched
      end

      private

      # `ctx.result(:name)`, `ctx.results.fetch("name")`
      def read_call(call, arguments, contexts)
        return unless call.first == :call

        _, receiver, _dot, name = call
        case name[1]
        when "result" then read(arguments, call) if context?(receiver, contexts)
        when "fetch" then read(arguments, call) if results?(receiver, contexts)
        end
      end

      def context?(node, contexts)
        %i[var_ref vcall].include?(node.first) && contexts.include?(node[1][1])
      end

      def results?(node, contexts)
        node.is_a?(Array) && node.first == :call && node[3][1] == "results" && context?(node[1], contexts)
      end

      # The first argument, where it is a Symbol or a String as it stands.
      def read(arguments, call)
        literal = first_argument(arguments)
        return unless literal && %i[symbol_literal dyna_symbol string_literal].include?(literal.first)

        tokens = Node.tokens(literal)
        return unless tokens.size == 1 && %i[@ident @const @kw @tstring_content].include?(tokens.first.first)

        line = Node.tokens(call).last[2].first
        ResultReads::Read.new(name: tokens.first[1], place: "#{@file}:#{line}")
      end

      def first_argument(tree)
        return unless tree.is_a?(Array)
        return tree if tree.first.is_a?(Symbol) && !%i[arg_paren args_add_block].include?(tree.first)

        first_argument(tree.first.is_a?(Symbol) ? tree[1] : tree.first)
      end

      def all(tree, kind)
        return [] unless tree.is_a?(Array)

        found = tree.flat_map { |child| all(child, kind) }
        tree.first == kind ? [tree, *found] : found
      end
    end
  end
end
