# frozen_string_literal: true

module TaskerCore
  module Testing
    # A database's clock that follows Ruby's: when `Time.now` jumps (ActiveSupport's `travel`, Timecop, a stub), it
    # jumps to the same moment, and what the test had it skip is added.
    #
    # @api private
    class RubyClock
      # Seconds by which `Time.now` may be off before that is a jump.
      TOLERANCE = 0.1
      private_constant :TOLERANCE

      def initialize(ledger)
        @ledger = ledger
        @skipped = 0.0
        @lock = Mutex.new
        # The database's clock is the machine's.
        seen(Process.clock_gettime(Process::CLOCK_REALTIME), Waiting.monotonic)
      end

      # A clock that stands still has not jumped: the database's goes on, so that what happens keeps its order.
      def follow
        @lock.synchronize do
          at = Waiting.monotonic
          now = Time.now.to_f
          # A thread that was left waiting between the two has not travelled.
          elapsed = Waiting.monotonic - @at
          jumped = !now.between?(@seen - TOLERANCE, @seen + elapsed + TOLERANCE)
          seen(now, at)
          @ledger.advance(now + @skipped - @ledger.now.to_f) if jumped
        end
      end

      def skip(seconds)
        @lock.synchronize do
          @ledger.advance(seconds)
          @skipped += seconds
        end
      end

      private

      def seen(now, at)
        @seen = now
        @at = at
      end
    end
  end
end
