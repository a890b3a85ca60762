# frozen_string_literal: true

module TaskerCore
  module Testing
    # A worker without threads: who drains runs its steps.
    #
    # @api private
    class CallerWorker < Worker
      def initialize(handle, stage)
        super(handle.native, handle.registry, threads: 1, queues: nil, on_error: TaskerCore.configuration.on_error)
        @stage = stage
      end

      # Runs steps until nothing goes on without time.
      #
      # @param deadline [Float] by the monotonic clock
      # @return [Hash, nil] what waits for time; nil in a child that a handler forked
      # @raise [TimeoutError] when the time is over first
      def run_ready(deadline)
        while mine?
          run_taken
          report_troubles
          left = deadline - Waiting.monotonic
          standstill = Waiting.await(@native.prospect, limit: [left, 0].max)
          return standstill if standstill

          give_up unless left.positive?
        end
      end

      private

      def hire; end

      def run_taken
        while mine? && (assignment = @native.take)
          attempt = attempt_at(assignment, @native)
          Thread.handle_interrupt(Interrupted => :never) { attempt.run }
          raise attempt.outcry if attempt.outcry
        end
      end

      def attempt_at(assignment, native)
        CallerAttempt.new(assignment, native, @registry, @settings, @interrupter, @stage)
      end

      def give_up
        raise TimeoutError, "steps are still running, or start others, when the time to drain them is over; " \
                            "does a workflow start itself again and again?"
      end
    end

    # One try of a step on the thread of the test: what the test has asked for happens in it, and what the test itself
    # raises in a handler reaches the test.
    #
    # @api private
    class CallerAttempt < Attempt
      # By their names: none of them needs to be loaded. The last is how a newer Timeout ends what it is around.
      OF_THE_TEST = %w[RSpec::Expectations::ExpectationNotMetError RSpec::Mocks::MockExpectationError
                       RSpec::Core::Pending::SkipDeclaredInExample Minitest::Assertion SignalException
                       Timeout::ExitException].freeze
      private_constant :OF_THE_TEST

      # @return [Exception, nil] what the handler raised, where that is the test's own
      attr_reader :outcry

      def initialize(*given, stage)
        super(*given)
        @stage = stage
      end

      def run
        crash = @stage.crash
        return super unless crash && !@assignment.key? && crash.strikes?(@assignment)

        die(crash)
      end

      private

      # What runs around an attempt may clean up after it, as Rails' executor does; what the thread has is the test's.
      def perform
        return super unless defined?(::ActiveSupport::CurrentAttributes)

        kept = ::ActiveSupport::CurrentAttributes.subclasses.map do |kind|
          [kind.instance, kind.instance.attributes.dup]
        end
        begin
          super
        ensure
          kept.each { |instance, attributes| instance.attributes = attributes }
        end
      end

      def handler
        error = @stage.failures.take(@assignment) or return super

        handler = super
        handler.respond_to?(:failing) ? handler.failing(error) : ->(_ctx) { raise error }
      end

      def fail_with(error, permanent: Attempt.permanent?(error))
        @outcry = error if error.class.ancestors.any? { |kind| OF_THE_TEST.include?(kind.name) }
        super(error, permanent: permanent || !@outcry.nil?)
      end

      # Its worker is lost before its handler is called, or before its result is recorded.
      def die(crash)
        Thread.current.thread_variable_set(:tasker_core_attempt, self)
        perform if crash.after?
      rescue StandardError
        nil # nobody is left to record it
      ensure
        Thread.current.thread_variable_set(:tasker_core_attempt, nil)
        Waiting.await(@native_worker.die)
      end
    end
  end
end
