# frozen_string_literal: true

module TaskerCore
  module Testing
    # Runs the steps of tasks on the current thread, until nothing goes on any more.
    #
    # @api private
    class Drain
      GOALS = %i[due idle settled].freeze
      # What a timer is overdue by when its time was skipped, in seconds.
      MARGIN = 0.001
      private_constant :GOALS, :MARGIN

      # @return [Symbol]
      def self.goal(given)
        goal = given.respond_to?(:to_sym) ? given.to_sym : given
        return goal if GOALS.include?(goal)

        ends = GOALS.map(&:inspect).join(", ")
        raise ValidationError.at("until", "is one of #{ends}", expected: ends, got: Native.shown(given))
      end

      # @yieldreturn [Boolean] whether no more time needs to be skipped
      def initialize(stage, handles, goal:, timeout: 30, &enough)
        @stage = stage
        @handles = handles
        @goal = Drain.goal(goal)
        @limit = Seconds.parse(timeout, "timeout") || 30.0
        @enough = enough || -> { false }
        @counted = Hash.new(0)
      end

      # What is to be done while another drain of this thread is under way is left to that one.
      #
      # @return [WorkSummary]
      def run
        under_way = Thread.current.thread_variable_get(:tasker_core_drain)
        if under_way || Attempt.current?
          under_way&.add(@handles)
        else
          Thread.current.thread_variable_set(:tasker_core_drain, self)
          drain
        end
        WorkSummary.new(ran: @counted[:ran], failed: @counted[:failed], timed_out: false)
      ensure
        Thread.current.thread_variable_set(:tasker_core_drain, nil) unless under_way
      end

      # Handles on which handlers have created tasks meanwhile; that which is being drained sees them by itself.
      def add(handles)
        @added |= handles - [@current]
      end

      private

      def drain
        @deadline = Waiting.monotonic + @limit
        @stage.failures.check { Creation.known_steps(@handles) }
        handles = @handles
        until handles.empty?
          @added = []
          handles.each { |handle| drain_one(handle) }
          handles = @added
        end
      end

      def drain_one(handle)
        @current = handle
        clock = @stage.clock(handle)
        clock.follow
        worker = CallerWorker.new(handle, @stage).start
        while (span = span_to_skip(worker.run_ready(@deadline)))
          clock.skip(span + MARGIN)
        end
      ensure
        count(worker) if worker
      end

      def count(worker)
        worker.stop(timeout: 0)
        worker.stats.slice(:ran, :failed).each { |what, number| @counted[what] += number }
      end

      # Handlers may have moved Ruby's clock, too.
      #
      # @return [Float, nil]
      def span_to_skip(standstill)
        return if standstill.nil? || @goal == :due || @enough.call

        standstill[:next_due] if @goal == :settled || standstill[:retrying]
      end
    end
  end
end
