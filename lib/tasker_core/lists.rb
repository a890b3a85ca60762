# frozen_string_literal: true

module TaskerCore
  # What makes the lists of steps with `each:`.
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

    # @return [Object, nil] what a step has as its list
    def self.asked(step)
      EitherKey.of(step, "each")
    end

    # @return [Hash] the step with `true` for its list
    def self.with_true(step)
      { **step.reject { |name, _| name.to_s == "each" }, each: true }
    end

    # @param given [Hash{String, Symbol => #call}] lists by step, for steps that say `each: true`
    def initialize(given)
      super(given, "each", "lists")
    end

    private

    def place = "each"
    def called = "list"
    def expected = "what has call, or a path into a parent's result"
    def unasked = "does not say each: true"
  end
end
