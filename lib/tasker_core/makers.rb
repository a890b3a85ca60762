# frozen_string_literal: true

module TaskerCore
  # What makes something of steps, in place of which the engine is told that there is something: `true`. What a path
  # leads to is the engine's own affair. A subclass knows where in a step it stands: {asked}, {with_true}.
  #
  # @api private
  class Makers
    # The step of another environment, without what makes something.
    def self.without(step)
      asked(step).respond_to?(:call) ? with_true(step) : step
    end

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

    # Keeps what makes something of a step, if there is anything to make.
    #
    # @return [Hash] the step for the engine
    def take(step, name, index)
      own = self.class.asked(step)
      return step unless keep(name, own, "steps[#{index}]")

      self.class.with_true(step)
    end

    # Notes which of the given ones belong to no step that asks for one.
    def refuse_others(names)
      (@given.keys - @by_step.keys).each do |name|
        why = names.include?(name) ? unasked : "does not exist#{Nearest.hint(name, names)}"
        @faults << ValidationError.fault("#{@option}.#{name}", "the step #{name.inspect} #{why}", got: name)
      end
    end

    private

    # @param asked [Object] what stands where a maker may stand
    # @param holder [String] the path of what holds it
    # @return [Boolean] whether there is anything to make
    def keep(name, asked, holder)
      return false unless asked == true || asked.respond_to?(:call)

      maker = @by_step[name] = @given.fetch(name) { asked unless asked == true }
      refuse(name, "#{holder}.#{place}", maker) unless maker.respond_to?(:call)
      true
    end

    def refuse(name, path, maker)
      problem = "has nothing that makes it; give it as #{@option}: { #{name.inspect} => … }" if maker.nil?
      problem ||= "has no method call"
      @faults << ValidationError.fault(path, "the #{called} of the step #{name.inspect} #{problem}",
                                       expected: expected, got: Native.shown(maker))
    end
  end
end
