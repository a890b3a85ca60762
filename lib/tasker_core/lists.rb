# frozen_string_literal: true

module TaskerCore
  # What makes the lists of steps with `each:`, in place of which the engine is told that there is something. A list
  # that stands in a parent's result is the engine's own affair.
  #
  # @api private
  class Lists < Makers
    # The list that is made of the results of a step's parents, by name: Strings, but a Symbol finds them too. What
    # takes two arguments gets the context besides.
    #
    # @param list [#call]
    # @param context [StepContext]
    def self.make(list, context)
      results = Hash.new { |hash, name| name.is_a?(Symbol) && hash.key?(name.to_s) ? hash[name.to_s] : nil }
      results.update(context.results).freeze
      takes_context?(list) ? list.call(results, context) : list.call(results)
    end

    def self.takes_context?(list)
      parameters = list.respond_to?(:parameters) ? list.parameters : list.method(:call).parameters
      parameters.count { |kind, _| %i[req opt].include?(kind) } > 1
    end
    private_class_method :takes_context?

    # The step of another environment, whose list is not called.
    def self.without(step)
      step.to_h { |key, value| [key, key.to_s == "each" && value.respond_to?(:call) ? true : value] }
    end

    # @param given [Hash{String, Symbol => #call}] lists by step, for steps that say `each: true`
    def initialize(given)
      super(given, "each", "lists")
    end

    # @return [Hash] the step for the engine
    def take(step, name, index)
      each = EitherKey.of(step, "each")
      return step unless each == true || each.respond_to?(:call)

      list = keep(name, each)
      refuse(name, index, list) unless list.respond_to?(:call)
      { **step.reject { |key, _| key.to_s == "each" }, each: true }
    end

    private

    def unasked = "does not say each: true"

    def refuse(name, index, list)
      problem = "has nothing that makes it; give it as each: { #{name.inspect} => … }" if list.nil?
      problem ||= "has no method call"
      @faults << ValidationError.fault("steps[#{index}].each", "the list of the step #{name.inspect} #{problem}",
                                       expected: "what has call, or a path into a parent's result",
                                       got: Native.shown(list))
    end
  end
end
