# frozen_string_literal: true

module TaskerCore
  # What makes something of steps, in place of which the engine is told that there is something: `true`.
  #
  # @api private
  class Makers
    # @return [Hash{String => #call}] by step
    attr_reader :by_step
    # @return [Array<Hash>]
    attr_reader :faults

    # @param given [Hash{String, Symbol => #call}] by step, for steps that say `true`
    # @param option [String] what it is given as
    # @param what [String] what they are called
    def initialize(given, option, what)
      unless given.is_a?(Hash)
        raise ValidationError.at(option, "is a Hash of steps' names and #{what}", got: given.class.name)
      end

      @given = given.transform_keys(&:to_s)
      @option = option
      @by_step = {}
      @faults = []
    end

    # Notes which of the given ones belong to no step that asks for one.
    def refuse_others(names)
      (@given.keys - @by_step.keys).each do |name|
        why = names.include?(name) ? unasked : "does not exist#{Nearest.hint(name, names)}"
        @faults << ValidationError.fault("#{@option}.#{name}", "the step #{name.inspect} #{why}", got: name)
      end
    end

    private

    # Keeps the one of a step; `own` is what the step says.
    def keep(name, own)
      @by_step[name] = @given.fetch(name) { own unless own == true }
    end
  end
end
