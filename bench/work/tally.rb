# frozen_string_literal: true

module Bench
  module Work
    # Counts the calls of handlers, from any thread; and what handlers do beside that.
    class Tally
      # Seconds of the processor that `burn` takes, and seconds that `sleep` does.
      BURN = 0.001
      SLEEP = 0.05

      def initialize
        @calls = Queue.new
      end

      # Handlers by what they do: nothing; burn the processor's time in Ruby; sleep; tell when they were called, in
      # nanoseconds of the monotonic clock.
      def handler(kind)
        case kind
        when "nothing" then counted { 1 }
        when "burn" then counted { burn }
        when "sleep" then counted { sleep(SLEEP) && 1 }
        when "clock" then counted { Bench.clock }
        else raise ArgumentError, "no handler #{kind}"
        end
      end

      # How many calls there were since this was asked last.
      def take
        @calls.size.times.sum { @calls.pop }
      end

      private

      def counted
        lambda do |_ctx|
          @calls << 1
          yield
        end
      end

      def burn
        over = Bench.cpu_clock + (BURN * 1e9)
        turns = 0
        turns += 1 while Bench.cpu_clock < over
        turns
      end
    end
  end
end
