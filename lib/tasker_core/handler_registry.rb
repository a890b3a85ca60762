# frozen_string_literal: true

module TaskerCore
  # The handlers of the templates that are registered on a handle; {OrchestrationHandle#refresh} hands it on.
  #
  # @api private
  class HandlerRegistry
    def initialize
      @by_template = {}
      @templates = {}
      @workflows = {}.compare_by_identity
      @lock = Mutex.new
    end

    # @param key [Array(String, String, String)] namespace, name, version
    # @param callables [Array(Hash{String => Object}, Hash{String => #call}, Hash{String => #call}), nil] handlers,
    #   lists and limits' keys by step; nil takes them out
    # @return [Array, nil] what stood there before
    def put(key, callables)
      @lock.synchronize do
        before = @by_template[key]
        @by_template = callables ? { **@by_template, key => callables } : @by_template.except(key)
        before
      end
    end

    # @return [Array<Array(String, String, String)>] namespace, name and version of each template that is registered
    def keys = @by_template.keys

    # @return [Object, nil] the handler of a step
    def find(key, step)
      @by_template[key]&.first&.fetch(step, nil)
    end

    # @return [#call, nil] what makes the list of a step
    def list(key, step)
      @by_template[key]&.at(1)&.fetch(step, nil)
    end

    # @return [#call, nil] what makes the key of a step's limit
    def limit_key(key, step)
      @by_template[key]&.at(2)&.fetch(step, nil)
    end

    # @return [Array<Template>] those of this name, in all versions
    def templates(namespace, name)
      @templates.values.select { |template| [template.namespace, template.name] == [namespace, name] }
    end

    # @return [Array<String>] the names of the steps of all
    def steps = @templates.values.flat_map(&:steps)

    def keep(template)
      @lock.synchronize do
        @templates = { **@templates, [template.namespace, template.name, template.version] => template }
      end
      template
    end

    def remember(workflow)
      @lock.synchronize { @workflows[workflow] = true }
    end

    # @return [Array<Class>] the workflow classes that were registered
    def workflows = @workflows.keys

    # Has one take the place of another, which was reloaded.
    def forget(workflow)
      @lock.synchronize { @workflows.delete(workflow) }
    end

    def remembers?(workflow)
      @workflows.key?(workflow)
    end
  end
end
