# frozen_string_literal: true

module TaskerCore
  # What a step's job is called with. `arguments:` is
  #
  # * an Array of paths, for positional ones: `["context.user_id", "charge.receipt.0"]` leads into the task's context
  #   and into the results of the steps it depends on; `"item"` is the item of a step with `each:`. One path alone is
  #   an Array of one. What is no String is an argument as it is
  # * a Hash of paths, for keywords
  # * what has `call`: it gets the {StepContext} and gives an Array, or a Hash of keywords
  # * left out: nothing where `perform` takes nothing, keywords of the context where it takes only keywords, else the
  #   context
  #
  # @api private
  class JobArguments
    # @return [Object, nil] a job's result where it can be recorded
    def self.json(value) = JSONValue.possible?(value) ? value : nil

    def initialize(given)
      @given = given
    end

    # @param job_class [Class<ActiveJob::Base>]
    # @return [ActiveJob::Base]
    def instantiate(job_class, ctx)
      takes = job_class.instance_method(:perform).parameters.map(&:first)
      found = @given.nil? ? left_out(takes, ctx) : asked(ctx)
      case found
      when Hash then job_class.new(**found.transform_keys(&:to_sym))
      when Array then positional(job_class, found, takes)
      else raise PermanentError, "arguments: is to give an Array or a Hash, not #{Native.shown(found)}"
      end
    end

    private

    def positional(job_class, found, takes)
      *others, last = found
      keywords = last.is_a?(Hash) && !last.empty? && last.each_key.all?(Symbol)
      return job_class.new(*found) unless keywords && takes.any? { |kind| kind.start_with?("key") }

      job_class.new(*others, **last)
    end

    def left_out(takes, ctx)
      return [] if takes.empty?

      takes.all? { |kind| kind.start_with?("key") } ? copy(ctx.context) : [copy(ctx.context)]
    end

    def asked(ctx)
      case @given
      when String, Symbol then [value(@given.to_s, ctx)]
      when Array then @given.map { |path| path.is_a?(String) ? value(path, ctx) : path }
      when Hash then @given.transform_values { |path| path.is_a?(String) ? value(path, ctx) : path }
      else @given.call(ctx)
      end
    end

    def value(path, ctx)
      first, *keys = path.split(".")
      copy(keys.reduce(start(first, ctx)) { |found, key| step_into(found, key, path) })
    end

    def start(first, ctx)
      return ctx.context if first == "context"
      return ctx.item if first == "item" && ctx.item_index

      ctx.result(first)
    end

    def step_into(found, key, path)
      case found
      when Hash then return found[key] if found.key?(key)
      when Array then return found[key.to_i] if key.match?(/\A\d+\z/) && key.to_i < found.size
      end
      raise PermanentError, "arguments: there is no #{key.inspect} on the way of #{path.inspect}"
    end

    # A job may change what it is called with.
    def copy(value) = value.deep_dup
  end
end
