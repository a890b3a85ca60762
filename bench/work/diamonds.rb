# frozen_string_literal: true

module Bench
  module Work
    # The diamond that throughput is measured with: four steps that do nothing, of which the last sees what the two
    # before it gave. Every call of a handler is counted, and what came of it is looked up afterwards.
    class Diamonds
      STEPS = 4

      def initialize(url)
        @handle = TaskerCore.open(url)
        @calls = Queue.new
        @handle.register(template, handlers: handlers)
      end

      attr_reader :handle

      # Creates so many, in transactions of a thousand.
      def create(count)
        left = count
        while left.positive?
          size = [left, 1_000].min
          @handle.create_tasks("diamond", contexts: Array.new(size) { |n| { "n" => n } })
          left -= size
        end
      end

      # Runs all of them; how long that took, in seconds.
      def run(count, threads: 5)
        started = Bench.clock
        @handle.work(until: :idle, threads: threads)
        took = (Bench.clock - started) / 1e9
        check(count)
        took
      end

      def close = @handle.close

      private

      def template
        { name: "diamond", steps: [{ name: "a" }, { name: "b", depends_on: "a" }, { name: "c", depends_on: "a" },
                                   { name: "d", depends_on: %w[b c] }] }
      end

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

      # A step that was lost or done twice ends the run.
      def check(count)
        called = @calls.size
        @calls.clear
        raise "#{called} calls of handlers for #{count} diamonds" unless called == count * STEPS
        raise "not every task is complete" unless @handle.tasks(status: "complete").count >= count

        wrong = @handle.tasks(limit: 50).reject { |task| task.step("d").result == 2 }
        raise "wrong results: #{wrong.map(&:id).join(", ")}" unless wrong.empty?
      end
    end
  end
end
