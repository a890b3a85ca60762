# frozen_string_literal: true

module TaskerCore
  # What makes the keys of steps' limits, in place of which the engine is told that there is something. A key that
  # stands in the task's context is the engine's own affair.
  #
  # @api private
  class LimitKeys < Makers
    # The step of another environment, whose key is not made.
    def self.without(step)
      step.to_h { |name, value| [name, name.to_s == "limit" && callable?(value) ? with_key(value, true) : value] }
    end

    def self.callable?(limit)
      limit.is_a?(Hash) && EitherKey.of(limit, "key").respond_to?(:call)
    end

    def self.with_key(limit, key)
      { **limit.reject { |name, _| name.to_s == "key" }, key: key }
    end
    private_class_method :callable?

    # @param given [Hash{String, Symbol => #call}] by step, for steps whose limits say `key: true`
    def initialize(given)
      super(given, "limit_keys", "what makes the keys of their limits")
    end

    # @return [Hash] the step for the engine
    def take(step, name, index)
      limit = EitherKey.of(step, "limit")
      key = EitherKey.of(limit, "key") if limit.is_a?(Hash)
      return step unless key == true || key.respond_to?(:call)

      key = keep(name, key)
      refuse(name, index, key) unless key.respond_to?(:call)
      { **step.reject { |option, _| option.to_s == "limit" }, limit: LimitKeys.with_key(limit, true) }
    end

    private

    def unasked = "has no limit that says key: true"

    def refuse(name, index, key)
      problem = "has nothing that makes its key; give it as limit_keys: { #{name.inspect} => … }" if key.nil?
      problem ||= "has a key without a method call"
      @faults << ValidationError.fault("steps[#{index}].limit.key", "the limit of the step #{name.inspect} #{problem}",
                                       expected: "what has call, or a path into the task's context",
                                       got: Native.shown(key))
    end
  end
end
