# frozen_string_literal: true

module TaskerCore
  module Testing
    # The task did not end in time. The message says what each of its steps waits for.
    class NotEndedError < TimeoutError
      # @return [Task] as it was then
      attr_reader :task

      # @api private
      def initialize(message = nil, task: nil)
        super(message)
        @task = task
      end
    end

    # Works until a task has ended.
    #
    # @api private
    class Runner
      # How often the task's steps are looked at, in seconds.
      LOOK_EVERY = 0.05
      private_constant :LOOK_EVERY

      def initialize(handle, task, timeout:, threads:, travel:)
        @handle = handle
        @task = task
        @timeout = Seconds.parse(timeout, "timeout") or
          raise ValidationError.at("timeout", "is a number of seconds", expected: "seconds", got: "nil")
        @threads = threads
        @travel = travel
      end

      def run
        @deadline = Waiting.monotonic + @timeout
        worker = @handle.worker(threads: @threads).start
        WorkflowRun.new(wait)
      ensure
        # Steps of other tasks that it runs have the rest of the time.
        worker&.stop(timeout: [left, 0].max)
      end

      private

      def left
        @deadline - Waiting.monotonic
      end

      def wait
        loop do
          return @task.wait(timeout: LOOK_EVERY)
        rescue TimeoutError
          look(Standing.new(@task, Ledger.of(@handle).now))
        end
      end

      def look(standing)
        wait = standing.wait
        give_up(standing) if !left.positive? || wait.nil? || (!@travel && wait > left)
        Ledger.of(@handle).advance(wait) if @travel && wait&.positive?
      end

      # The task may have ended since its steps were looked at.
      def give_up(standing)
        @task = @task.reload
        return if @task.ended?

        raise NotEndedError.new("the task #{@task.id} (#{@task.namespace}/#{@task.name}) does not end within " \
                                "#{@timeout} s: #{standing}", task: @task)
      end
    end
  end
end
