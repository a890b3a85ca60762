# frozen_string_literal: true

module TaskerCore
  # What the end of the process does with workers that are still at work, in this order: they claim nothing more; their
  # handlers have a while to end; what these hold then is given back; when the user's own `at_exit` blocks are done, the
  # databases are closed. All of it within {Configuration#exit_timeout}.
  #
  # @api private
  module ProcessEnd
    # The part of the time that handlers have.
    FOR_HANDLERS = 0.8
    # What closing has at least, in seconds, however long others took.
    FOR_CLOSING = 0.5
    private_constant :FOR_HANDLERS, :FOR_CLOSING

    @running = []
    @to_close = []

    module_function

    def started(worker)
      unless @at_exit
        @at_exit = true
        # A block would hold this worker, and through it a handle, to the end.
        at_exit(&method(:stop_workers))
      end
      @running.select(&:over?).each { |other| stopped(other) }
      @running.push(worker)
    end

    def stopped(worker)
      @running.delete(worker)
    end

    # A forked child inherits this, and leaves its parent's workers alone.
    def stop_workers
      limit = TaskerCore.configuration.exit_timeout
      @deadline = Waiting.monotonic + limit
      leaving = @running.select(&:running?).to_h { |worker| [worker, worker.leave(limit * FOR_HANDLERS)] }
      leaving.each { |worker, left| worker.left(left, time_left) }
      @to_close = leaving.keys
    end

    def close
      calls = @to_close.map(&:close_database)
      calls.each { |call| Waiting.await(call, limit: [time_left, FOR_CLOSING].max) }
    end

    def time_left = [@deadline - Waiting.monotonic, 0.0].max

    # Of the blocks that `at_exit` was given, this is one of the first, so that it is one of the last to run.
    at_exit { close unless @to_close.empty? }

    private_class_method :stop_workers, :close, :time_left
  end
end
