# frozen_string_literal: true

module TaskerCore
  module Checks
    # What is wrong with the handlers of a template that registering it doesn't see: how many arguments `call` takes,
    # and results that are read though the step doesn't depend on theirs.
    #
    # @api private
    class Handlers
      # @param subject [String] the template, as it is called in problems
      # @param steps [Array<Hash>] `name`, `depends_on`: Strings
      # @param handlers [Hash{String => Object}] by step
      # @param lists [Hash{String => #call}] what makes lists, by step
      # @param limit_keys [Hash{String => #call}] what makes the keys of limits, by step
      def initialize(subject, steps, handlers, lists = {}, limit_keys = {})
        @subject = subject
        @names = steps.map { |step| step[:name] }
        @parents = steps.to_h { |step| [step[:name], step[:depends_on]] }
        @handlers = handlers
        @lists = lists
        @limit_keys = limit_keys
      end

      # Notes which results each handler may read.
      #
      # @param uses [Hash{Object => Array<String>}]
      # @return [void]
      def note(uses)
        known(@handlers).each { |step, handler| uses[handler].concat(@parents.fetch(step)) }
      end

      # @param uses [Hash{Object => Array<String>}] which results each handler may read, in all templates together
      # @return [Array<Problem>]
      def problems(uses)
        known(@handlers).flat_map do |step, handler|
          [*arity(step, handler), *undeclared(step, ResultReads.of(handler), uses[handler])]
        end +
          known(@lists).flat_map { |step, list| undeclared(step, ResultReads.of_list(list)) } +
          known(@limit_keys).flat_map { |step, key| undeclared(step, ResultReads.of(key)) }
      end

      private

      # Of steps that there are.
      def known(callables) = callables.select { |step, callable| callable && @parents.key?(step) }

      def arity(step, handler)
        method = method_call(handler)
        return [] if method.nil? || [1, -1, -2].include?(method.arity)

        wanted = method.arity.negative? ? "#{-method.arity - 1} or more" : method.arity
        [problem(step, "its handler's `call` takes #{wanted} arguments; it is called with one, the context",
                 method.source_location&.join(":"))]
      end

      # A Proc or a Method is looked at when it is registered.
      def method_call(handler)
        handler = Object.const_get(handler.to_s) if handler.is_a?(String) || handler.is_a?(Symbol)
        case handler
        when Proc, Method then nil
        when Class then handler.method_defined?(:call) ? handler.instance_method(:call) : handler.method(:call)
        else handler.method(:call)
        end
      rescue NameError
        nil
      end

      # A handler of several steps may know in which one it is: then what it reads in another one is worth a look.
      def undeclared(step, reads, elsewhere = [])
        parents = @parents.fetch(step)
        reads.reject { |read| parents.include?(read.name) }.map do |read|
          level = elsewhere.include?(read.name) ? "warning" : "error"
          problem(step, "reads the result of #{read.name.inspect}, #{why(step, read.name)}", read.place, level: level)
        end
      end

      def why(step, name)
        return "but does not depend on it: add it to depends_on" if @names.include?(name)

        "and there is no such step#{Nearest.hint(name, @names - [step])}"
      end

      def problem(step, message, place, level: "error")
        Problem.new(level: level, subject: "#{@subject} step #{step}", message: message, place: place)
      end
    end
  end
end
