# frozen_string_literal: true

module TaskerCore
  # The handlers of the templates that are registered on a handle; {OrchestrationHandle#refresh} hands it on.
  #
  # @api private
  class HandlerRegistry
    def initialize
      @by_template = {}
      @workflows = {}.compare_by_identity
      @lock = Mutex.new
    end

    # @param key [Array(String, String, String)] namespace, name, version
    # @param handlers [Hash{String => Object}, nil] by step; nil takes them out
    # @return [Hash, nil] what stood there before
    def put(key, handlers)
      @lock.synchronize do
        before = @by_template[key]
        @by_template = handlers ? { **@by_template, key => handlers } : @by_template.except(key)
        before
      end
    end

    def find(key, step)
      @by_template[key]&.fetch(step, nil)
    end

    def remember(workflow)
      @lock.synchronize { @workflows[workflow] = true }
    end

    def remembers?(workflow)
      @workflows.key?(workflow)
    end
  end
end
