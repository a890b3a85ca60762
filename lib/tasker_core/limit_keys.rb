# frozen_string_literal: true

module TaskerCore
  # What makes the keys of steps' limits, in place of which the engine is told that there is something. A key that
  # stands in the task's context is the engine's own affair.
  #
  # @api private
  class LimitKeys
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

    # @return [Hash{String => #call}] by step
    attr_reader :by_step
    # @return [Array<Hash>]
    attr_reader :faults

    # @param given [Hash{String, Symbol => #call}] by step, for steps whose limits say `key: true`
    def initialize(given)
      unless given.is_a?(Hash)
        raise ValidationError.at("limit_keys", "is a Hash of steps' names and what makes the keys of their limits",
                                 got: given.class.name)
      end

      @given = given.transform_keys(&:to_s)
      @by_step = {}
      @faults = []
    end

    # @return [Hash] the step for the engine
    def take(step, name, index)
      limit = EitherKey.of(step, "limit")
      key = EitherKey.of(limit, "key") if limit.is_a?(Hash)
      return step unless key == true || key.respond_to?(:call)

      key = @given.fetch(name) { key unless key == true }
      @by_step[name] = key
      refuse(name, index, key) unless key.respond_to?(:call)
      { **step.reject { |option, _| option.to_s == "limit" }, limit: LimitKeys.with_key(limit, true) }
    end

    # Notes which of the given keys belong to no step that asks for one.
    def refuse_others(names)
      (@given.keys - @by_step.keys).each do |name|
        why = names.include?(name) ? "has no limit that says key: true" : "does not exist#{Nearest.hint(name, names)}"
        @faults << ValidationError.fault("limit_keys.#{name}", "the step #{name.inspect} #{why}", got: name)
      end
    end

    private

    def refuse(name, index, key)
      problem = "has nothing that makes its key; give it as limit_keys: { #{name.inspect} => … }" if key.nil?
      problem ||= "has a key without a method call"
      @faults << ValidationError.fault("steps[#{index}].limit.key", "the limit of the step #{name.inspect} #{problem}",
                                       expected: "what has call, or a path into the task's context",
                                       got: Native.shown(key))
    end
  end
end
