# frozen_string_literal: true

require_relative "shapes"

module Bench
  module Work
    # The diamond that throughput is measured with: four steps that do nothing, of which the last sees what the two
    # before it gave. Every call of a handler is counted, and what came of it is looked up afterwards.
    class Diamonds
      STEPS = 4

      def initialize(url)
        @handle = TaskerCore.open(url)
        @calls = Queue.new
        @since = Time.now
        @handle.register(Shapes.diamond, handlers: handlers)
      end

      attr_reader :handle

      # Creates so many, in transactions of a thousand.
      def create(count)
        (1..count).each_slice(1_000) do |numbers|
          @handle.create_tasks("diamond", contexts: numbers.map { |n| { "n" => n } })
        end
      end

      # Runs all of them; how long that took, in seconds. A step that was lost or done twice ends the run.
      def run(count)
        before = complete
        sample = @handle.tasks(status: "pending", limit: 50).map(&:id)
        took = work(count)
        raise "#{complete - before} of #{count} diamonds are complete" unless complete - before == count

        wrong = sample.reject { |id| @handle.task(id).step("d").result == 2 }
        raise "wrong results: #{wrong.join(", ")}" unless wrong.empty?

        took
      end

      # The same without a look at the database before and after.
      def work(count, threads: 5)
        started = Bench.clock
        @handle.work(until: :idle, threads: threads)
        took = (Bench.clock - started) / 1e9
        called = @calls.size
        @calls.clear
        raise "#{called} calls of handlers for #{count} diamonds" unless called == count * STEPS

        took
      end

      def close = @handle.close

      private

      def handlers
        calls = @calls
        one = lambda do |_ctx|
          calls << 1
          1
        end
        join = lambda do |ctx|
          calls << 1
          ctx.result("b") + ctx.result("c")
        end
        { a: one, b: one, c: one, d: join }
      end

      # Of those that were made here: to count all that is stored would put the server's memory to that use.
      def complete = @handle.tasks(status: "complete", created_after: @since).count
    end
  end
end
