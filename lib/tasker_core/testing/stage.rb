# frozen_string_literal: true

module TaskerCore
  module Testing
    # What the kit keeps of one example: the engine in memory, the tasks that were started, the failures to come.
    #
    # @api private
    class Stage
      # @return [Array<Start>] the tasks that were started, in order
      attr_reader :starts
      # @return [InjectedFailures]
      attr_reader :failures
      # @return [Array<Expectations::FailStep>] the matchers of that name that were made
      attr_reader :expected_failures
      # @return [Boolean] whether what is started is noted in the mode disabled, too
      attr_reader :watching
      # @return [Crash, nil] where a worker is to be lost
      attr_accessor :crash

      def initialize
        @starts = []
        @ids = {}
        @expected_failures = []
        @failures = InjectedFailures.new
        @clocks = {}.compare_by_identity
        @lock = Mutex.new
      end

      # @return [OrchestrationHandle] the default handle of the modes fake and inline
      def engine
        current = @engine
        return current if current&.valid?

        @lock.synchronize { @engine = @engine&.valid? ? @engine : open_engine }
      end

      # The handles to drain: those on which tasks were started, or that is in the place of the default one.
      #
      # @return [Array<OrchestrationHandle>]
      def handles
        [*@engine, *@starts.map(&:handle)].uniq(&:object_id).reject(&:closed?)
      end

      # @return [RubyClock] that of the handle's database
      # @raise [ConfigurationError] when the database is not named as one for tests
      def clock(handle)
        @lock.synchronize { @clocks[handle] ||= RubyClock.new(Ledger.of(handle)) }
      end

      # @return [Boolean] whether the task was started in this example
      def started?(id) = @ids.key?(id)

      # Notes that a task was started.
      def note(start)
        @ids[start.id] = true
        @starts << start
      end

      # Notes what is started while the block runs.
      def watch
        before = @watching
        @watching = true
        yield
      ensure
        @watching = before
      end

      def engine?(handle) = handle.equal?(@engine)

      # A failure of one does not keep the others from being closed.
      def close
        handles = @clocks.keys
        @engine&.close
        failures = handles.filter_map do |handle|
          Ledger.clean_up(handle)
          nil
        rescue Error => e
          e
        end
        raise failures.first unless failures.empty?
      end

      private

      def open_engine
        c = TaskerCore.configuration
        OrchestrationHandle.open("sqlite::memory:", max_depth: c.max_depth, max_context_bytes: c.max_context_bytes,
                                                    max_result_bytes: c.max_result_bytes)
      end
    end
  end
end
