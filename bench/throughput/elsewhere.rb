# frozen_string_literal: true

require_relative "../work/elsewhere"
require_relative "../work/shapes"
require_relative "../work/tally"

module Bench
  module Throughput
    # Diamonds whose handlers take time, run by workers in processes of their own: two processes against one where they
    # burn the processor's time, and one with many threads where they sleep.
    class Elsewhere
      STEPS = 4
      SLEEPERS = 50

      def initialize(kind, fresh, quick:)
        @kind = kind
        @fresh = fresh
        @quick = quick
      end

      def report(report)
        rounds = Array.new(@quick ? 1 : 3) { [1, 2].map { |processes| rate("burn", processes, @quick ? 25 : 2_000) } }
        one, two = rounds.transpose.map { |rates| Bench.median(rates) }
        report.row("#{@kind}: handlers of 1 ms, one process", one.round, "steps/s")
        report.row("#{@kind}: handlers of 1 ms, two processes", two.round, "steps/s")
        ratio = Bench.median(rounds.map { |alone, both| both / alone })
        report.row("#{@kind}: two processes against one", ratio.round(2), "times", at_least: 1.8)

        asleep = rate("sleep", 1, @quick ? 25 : 5_000, threads: SLEEPERS)
        report.row("#{@kind}: handlers that sleep 50 ms, #{SLEEPERS} threads", asleep.round, "steps/s")
        share = asleep * Work::Tally::SLEEP / SLEEPERS
        report.row("#{@kind}: of what as many sleepers could do", share.round(3), "times", at_least: 0.95)
      end

      private

      # Steps a second, from the moment the first worker begins until the last finds nothing left.
      def rate(kind, processes, tasks, threads: 5)
        url = @fresh.call
        handle = TaskerCore.open(url)
        Work::Shapes.register(handle, Work::Shapes.diamond)
        workers = Array.new(processes) { Work::Elsewhere.new(url, kind) }
        (1..tasks).each_slice(1_000) do |numbers|
          handle.create_tasks("diamond", contexts: numbers.map { |n| { "n" => n } })
        end
        workers.each { |worker| worker.work(threads: threads) }
        spans = workers.map(&:answer)
        check(handle, workers, tasks)
        workers.each(&:close)
        handle.close
        tasks * STEPS * 1e9 / (spans.map { |span| span[:ended] }.max - spans.map { |span| span[:began] }.min)
      end

      def check(handle, workers, tasks)
        calls = workers.sum { |worker| worker.look[:calls] }
        raise "#{calls} calls of handlers for #{tasks} diamonds" unless calls == tasks * STEPS

        complete = handle.tasks(status: "complete").count
        raise "#{complete} of #{tasks} diamonds are complete" unless complete == tasks
      end
    end
  end
end
