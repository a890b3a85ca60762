# frozen_string_literal: true

module TaskerCore
  # One environment's values merged over a template, which remembers where each of them came from.
  #
  # @api private
  class Overlay
    # @return [Hash]
    attr_reader :template
    # @return [Array<Hash>] steps that it names and that don't exist
    attr_reader :faults

    # @param base [Hash] the template
    # @param own [Hash] the environment's values
    # @param place [String] the path under which these stand
    def initialize(base, own, place)
      @place = place
      @faults = []
      @origins = {}
      @template = own.reduce(base) do |merged, (key, value)|
        path = "#{place}.#{key}"
        next put(merged, key) { |steps| merge_steps(steps, value, path) } if key.to_s == "steps"

        deep(merged, key, value, "", path)
      end
    end

    # Where what stands at this path of the merged template was given.
    def origin(path)
      outer = path
      outer = outer.sub(/(\.[^.\[]*|\[\d+\]|\A[^.\[]+)\z/, "") until outer.empty? || @origins[outer]
      outer.empty? ? path : "#{@origins[outer]}#{path.delete_prefix(outer)}"
    end

    # The fault at the place where it was given, or as one of the environment as a whole.
    def own_fault(fault)
      path = origin(fault[:path])
      return { **fault, path: path }.freeze if path.start_with?("#{@place}.")

      { **fault, path: @place, message: ValidationError.sentence(fault) }.freeze
    end

    private

    def merge_steps(steps, own, path)
      return note("steps", path, own) unless steps.is_a?(Array) && own.is_a?(Array)

      places = steps.each_with_index.to_h { |step, index| [name_of(step), index] }
      own.each_with_index.reduce(steps) do |merged, (step, index)|
        place = places[name_of(step)]
        next merged.tap { refuse(step, "#{path}[#{index}]", places.keys) } unless place && step.is_a?(Hash)

        laid_over = step.reduce(merged[place]) do |all, (key, value)|
          deep(all, key, value, "steps[#{place}]", "#{path}[#{index}].#{key}")
        end
        merged.dup.tap { |copy| copy[place] = laid_over }
      end
    end

    def deep(hash, key, value, outer, origin)
      path = outer.empty? ? key.to_s : "#{outer}.#{key}"
      put(hash, key) do |old|
        next note(path, origin, value) unless old.is_a?(Hash) && value.is_a?(Hash)

        value.reduce(old) { |all, (inner, item)| deep(all, inner, item, path, "#{origin}.#{inner}") }
      end
    end

    def note(path, origin, value)
      @origins[path] = origin
      value
    end

    def refuse(step, path, names)
      name = name_of(step)
      @faults << ValidationError.fault("#{path}.name", "there is no step #{name.inspect}#{Nearest.hint(name, names)}",
                                       expected: names.join(", "), got: name)
    end

    def name_of(step)
      step.is_a?(Hash) ? EitherKey.of(step, "name").to_s : ""
    end

    # The Hash with another value under a key that may stand in it as a Symbol or a String.
    def put(hash, key)
      found = hash.keys.find { |other| other.to_s == key.to_s } || key
      { **hash, found => yield(hash[found]) }
    end
  end
end
