# frozen_string_literal: true

module Bench
  module FFI
    # Calls a second on one thread and on two, and what a thread has left while another one waits in Rust.
    class Threads
      def initialize(world, report, quick:)
        @world = world
        @report = report
        @span = quick ? 0.005 : 0.1
        @rounds = quick ? 1 : 15
      end

      def run
        @report.section("Threads")
        one, two = Array.new(@rounds) { [calls_per_second(1), calls_per_second(2)] }.transpose
        # Of the best round: what else runs on the machine can only slow one down.
        @report.row("typed calls a second, 5 fields, one thread", one.max.round, "calls/s", at_least: 500_000)
        @report.row("typed calls a second, 5 fields, two threads", two.max.round, "calls/s")
        waiting
      end

      private

      def calls_per_second(threads)
        input = { name: "order", namespace: "default", context: SIZES.fetch("5 fields") }
        subject = Subject.new("bench.read_task(input)", bench: TaskerCore::Native::Bench.new, input: input)
        per_second(threads) { subject.run(200) }
      end

      # How often a second several threads together do what the block says it did.
      def per_second(threads, &)
        started = Bench.clock
        counted = Array.new(threads) { Thread.new { count_for(@span, &) } }.sum(&:value)
        counted * 1e9 / (Bench.clock - started)
      end

      def count_for(seconds)
        deadline = Bench.clock + (seconds * 1e9)
        counted = 0
        counted += yield while Bench.clock < deadline
        counted
      end

      # Plain Ruby on one thread, by itself and while another thread waits for a task that nobody runs.
      def waiting
        task = @world.task("5 fields")
        counting = Subject.new("count += 1", count: 0)
        alone, beside = Array.new(@rounds * 6) do
          [pace(counting), while_waiting(task) { pace(counting) }]
        end.transpose
        # The upper quartiles: what else runs on the machine slows many rounds down, by chance.
        share = Bench.quantile(beside, 0.75) / Bench.quantile(alone, 0.75)
        @report.row("a counting thread beside one that waits in Rust", share.round(3), "of alone", at_least: 0.95)
      end

      def pace(subject)
        started = Bench.clock
        counted = count_for(@span / 3) { subject.run(10_000) }
        counted * 1e9 / (Bench.clock - started)
      end

      def while_waiting(task)
        waiter = Thread.new { task.wait }
        Thread.pass until waiter.status == "sleep"
        yield
      ensure
        waiter.kill.join
      end
    end
  end
end
