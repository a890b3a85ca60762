# frozen_string_literal: true

require "singleton"

module TaskerCore
  # Holds the process's default handle, on which the module's own methods act. It is opened when it is first asked
  # for, and again after it was closed or has expired.
  #
  # @example
  #   TaskerCore.configure { |c| c.database_url = "sqlite::memory:" }
  #   TaskerCore::OrchestrationManager.instance.handle.info[:backend] # => "sqlite"
  #   TaskerCore::OrchestrationManager.instance.close
  class OrchestrationManager
    include Singleton

    # What gives the default handle in a test; nil outside of tests.
    #
    # @api private
    # @return [#call, nil]
    attr_accessor :stand_in

    # The default handle where it is open, whatever stands in for it.
    #
    # @api private
    # @return [OrchestrationHandle, nil]
    attr_reader :opened

    def initialize
      @lock = Mutex.new
    end

    # @return [OrchestrationHandle]
    # @raise [ConfigurationError, DatabaseError] when it can't be opened
    def handle
      return @stand_in.call if @stand_in

      current = @opened
      return current if current&.valid?

      @lock.synchronize { @opened = @opened&.valid? ? @opened : open }
    end

    # @api private
    # @return [OrchestrationHandle, nil] the default handle, where it is open
    def current = (@opened if @opened&.valid?)

    # Closes the default handle. The next call that needs one opens it with the settings of then.
    #
    # @return [void]
    def close
      @lock.synchronize do
        @opened&.close
        @opened = nil
      end
    end

    # Where it is open, registers the workflows again whose classes were loaded anew since.
    #
    # @api private
    def reload_workflows
      return unless @opened&.valid?

      registry = @opened.registry
      registry.workflows.each do |workflow|
        current = workflow.name && Object.const_defined?(workflow.name) && Object.const_get(workflow.name)
        next if !current || current.equal?(workflow)

        @opened.register(current)
        registry.forget(workflow)
      rescue Error => e
        Reporter.current.log(Logger::ERROR) { "#{workflow.name} was changed, and can't be registered: #{e.message}" }
      end
    end

    private

    def open
      return @opened.refresh if @opened&.expired? && !@opened.closed?

      c = TaskerCore.configuration
      OrchestrationHandle.open(c.database_url, pool: c.pool, lease: c.lease, retention: c.retention,
                                               max_depth: c.max_depth, max_context_bytes: c.max_context_bytes,
                                               max_result_bytes: c.max_result_bytes)
    end
  end
end
