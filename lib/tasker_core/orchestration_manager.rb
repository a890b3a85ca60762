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

    def initialize
      @lock = Mutex.new
    end

    # @return [OrchestrationHandle]
    # @raise [ConfigurationError, DatabaseError] when it can't be opened
    def handle
      current = @handle
      return current if current&.valid?

      @lock.synchronize { @handle = @handle&.valid? ? @handle : open }
    end

    # Closes the default handle. The next call that needs one opens it with the settings of then.
    #
    # @return [void]
    def close
      @lock.synchronize do
        @handle&.close
        @handle = nil
      end
    end

    private

    def open
      return @handle.refresh if @handle&.expired? && !@handle.closed?

      c = TaskerCore.configuration
      OrchestrationHandle.open(c.database_url, pool: c.pool, lease: c.lease, retention: c.retention,
                                               max_depth: c.max_depth, max_context_bytes: c.max_context_bytes,
                                               max_result_bytes: c.max_result_bytes)
    end
  end
end
