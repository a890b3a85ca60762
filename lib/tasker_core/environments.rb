# frozen_string_literal: true

module TaskerCore
  # A template's `environments`: what the current one says is merged deeply over the rest, steps by name. The
  # current environment is `TASKER_ENV`, else `RAILS_ENV`, else `RACK_ENV`, else `development`.
  #
  # @api private
  module Environments
    module_function

    def current
      ENV["TASKER_ENV"] || ENV["RAILS_ENV"] || ENV["RACK_ENV"] || "development"
    end

    # @param template [Hash]
    # @return [Hash] without `environments`
    def apply(template)
      environments = EitherKey.of(template, "environments")
      return template unless environments.is_a?(Hash)

      rest = template.reject { |key, _| key.to_s == "environments" }
      _, own = environments.find { |name, _| name.to_s == current }
      return rest if own.nil?

      unless own.is_a?(Hash)
        raise ValidationError.at("environments.#{current}", "is a mapping of keys to values", expected: "a Hash",
                                                                                              got: own.class.name)
      end
      overlay(rest, own)
    end

    def overlay(template, own)
      own.reduce(template) do |merged, (key, value)|
        key.to_s == "steps" ? put(merged, key) { |steps| merge_steps(steps, value) } : deep(merged, key, value)
      end
    end

    def merge_steps(steps, own)
      return own unless steps.is_a?(Array) && own.is_a?(Array)

      own.each_with_index.reduce(steps) do |merged, (step, index)|
        names = merged.map { |candidate| name_of(candidate) }
        place = names.index(name_of(step)) or raise unknown_step(step, index, names)
        merged.dup.tap { |copy| copy[place] = step.reduce(merged[place]) { |all, (key, value)| deep(all, key, value) } }
      end
    end

    def name_of(step)
      step.is_a?(Hash) ? EitherKey.of(step, "name").to_s : ""
    end

    def unknown_step(step, index, names)
      name = name_of(step)
      ValidationError.at("environments.#{current}.steps[#{index}].name",
                         "there is no step #{name.inspect}#{Nearest.hint(name, names)}")
    end

    def deep(hash, key, value)
      put(hash, key) do |old|
        old.is_a?(Hash) && value.is_a?(Hash) ? value.reduce(old) { |all, (k, v)| deep(all, k, v) } : value
      end
    end

    # The Hash with another value under a key that may stand in it as a Symbol or a String.
    def put(hash, key)
      found = hash.keys.find { |other| other.to_s == key.to_s } || key
      { **hash, found => yield(hash[found]) }
    end

    private_class_method :overlay, :merge_steps, :name_of, :unknown_step, :deep, :put
  end
end
