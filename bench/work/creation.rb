# frozen_string_literal: true

module Bench
  module Work
    # How long it takes to have a task stored: alone, from many threads at once, and a thousand in one call; against
    # one bare durable commit of the same pool.
    class Creation
      def initialize(handle, report, kind, quick:)
        @handle = handle
        @report = report
        @kind = kind
        @span = quick ? 0.05 : 1.0
        @rounds = quick ? 1 : 7
      end

      def run
        rounds = Array.new(@rounds) do
          [*per_call(method(:bare_commit), method(:create)), per_second(1), per_second(16)]
        end
        commit, one, alone, many = rounds.transpose
        @report.row("#{@kind}: one bare durable commit", micro(commit), "µs")
        @report.row("#{@kind}: create_task from one thread", micro(one), "µs")
        @report.row("#{@kind}: create_task against a bare commit", ratio(one, commit), "times", at_most: 1.3)
        @report.row("#{@kind}: create_task from one thread, in a row", Bench.median(alone).round, "tasks/s")
        @report.row("#{@kind}: create_task from 16 threads", Bench.median(many).round, "tasks/s")
        @report.row("#{@kind}: 16 threads against one", ratio(many, alone), "times", at_least: 6)
        @report.row("#{@kind}: create_tasks, 1,000 diamonds a call", Bench.median(batches).round, "tasks/s",
                    at_least: 20_000)
      end

      private

      def bare_commit = TaskerCore::Waiting.await(TaskerCore::Native::Bench.commit(@handle.native))
      def create = @handle.create_task("diamond", context: { "n" => 1 })

      # The median time of each call, in seconds: they take turns, so that all meet the same disk. It leaves out what
      # now and then takes longer, as a count per second does not.
      def per_call(*calls)
        deadline = Bench.clock + (calls.size * @span * 1e9)
        times = calls.map { [] }
        while Bench.clock < deadline
          calls.zip(times) do |call, taken|
            started = Bench.clock
            call.call
            taken << ((Bench.clock - started) / 1e9)
          end
        end
        times.map { |taken| Bench.median(taken) }
      end

      def per_second(threads)
        started = Bench.clock
        deadline = started + (@span * 1e9)
        made = Array.new(threads) do
          Thread.new do
            count = 0
            while Bench.clock < deadline
              create
              count += 1
            end
            count
          end
        end
        made.sum(&:value) * 1e9 / (Bench.clock - started)
      end

      def batches
        Array.new(@rounds) do
          started = Bench.clock
          @handle.create_tasks("diamond", contexts: Array.new(1_000) { |n| { "n" => n } })
          1_000 * 1e9 / (Bench.clock - started)
        end
      end

      def micro(seconds) = (Bench.median(seconds) * 1e6).round(1)
      def ratio(ours, theirs) = Bench.median(ours.zip(theirs).map { |mine, its| mine / its }).round(2)
    end
  end
end
