# frozen_string_literal: true

module TaskerCore
  # What makes the keys of steps' limits. A limit may also stand in a template's defaults: then what makes its key does
  # so for each step without a limit of its own.
  #
  # @api private
  class LimitKeys < Makers
    # @param options [Hash] of a step, or of all of them
    # @return [Object, nil] what it has as the key of its limit
    def self.asked(options)
      limit = EitherKey.of(options, "limit")
      EitherKey.of(limit, "key") if limit.is_a?(Hash)
    end

    # @return [Hash] the options with `true` for the key
    def self.with_true(options)
      limit = EitherKey.of(options, "limit").reject { |name, _| name.to_s == "key" }
      { **options.reject { |name, _| name.to_s == "limit" }, limit: { **limit, key: true } }
    end

    # @param given [Hash{String, Symbol => #call}] by step, for steps whose limits say `key: true`
    # @param defaults [Hash, Object] what the template says for every step
    def initialize(given, defaults)
      super(given, "limit_keys", "what makes the keys of their limits")
      @default = LimitKeys.asked(defaults) if defaults.is_a?(Hash)
    end

    # @return [Hash] the step for the engine
    def take(step, name, index)
      return super unless EitherKey.of(step, "limit").nil?

      keep(name, @default, "defaults")
      step
    end

    private

    def place = "limit.key"
    def called = "key of the limit"
    def expected = "what has call, or a path into the task's context"
    def unasked = "has no limit that says key: true"
  end
end
