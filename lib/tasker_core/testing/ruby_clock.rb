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
        seen(Process.clock_gettime(Process::CLOCK_REALTIME))
      end

      # A clock that stands still has not jumped: the database's goes on, so that what happens keeps its order.
      def follow
        @lock.synchronize do
          now = Time.now.to_f
          elapsed = Waiting.monotonic - @at
          jumped = !now.between?(@seen - TOLERANCE, @seen + elapsed + TOLERANCE)
          seen(now)
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

      def seen(now)
        @seen = now
        @at = Waiting.monotonic
      end
    end
  end
end
