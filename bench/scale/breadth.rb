# frozen_string_literal: true

module Bench
  module Scale
    # What a step costs in one large task, against as many steps in small ones: side by side with a join, and one after
    # the other.
    class Breadth
      MANY = 10_000
      FEW = 100

      def initialize(kind, fresh, quick:)
        @kind = kind
        @tally = Work::Tally.new
        @handle = TaskerCore.open(fresh.call)
        @many = quick ? 200 : MANY
        @few = quick ? 20 : FEW
        @rounds = quick ? 1 : 3
      end

      def report(report)
        compare(report, "parallel steps and a join", @many / @few) { |size| Work::Shapes.fan(size) }
        # A chain's steps wait for each other, so that one small chain at a time is the like of one large chain.
        compare(report, "steps in a chain", 1) { |size| Work::Shapes.chain(size) }
        @handle.close
      end

      private

      # @param tasks [Integer] how many small tasks run at once
      def compare(report, title, tasks)
        large, small = [@many, @few].map { |size| register(yield(size)) }
        run(small, tasks)
        rounds = Array.new(@rounds) do
          [run(large, 1), Bench.median(Array.new(tasks == 1 ? 5 : 1) { run(small, tasks) })]
        end
        [@many, @few].zip(rounds.transpose).each do |size, times|
          report.row("#{@kind}: #{Bench.plain(size)} #{title}", Bench.median(times).round(1), "µs/step")
        end
        ratio = Bench.median(rounds.map { |mine, its| mine / its })
        report.row("#{@kind}: the large against the small", ratio.round(2), "times", at_most: 1.1)
      end

      def register(template)
        Work::Shapes.register(@handle, template, @tally.handler("nothing"))
        template
      end

      # Microseconds a step.
      def run(template, tasks)
        ids = @handle.create_tasks(template[:name], contexts: Array.new(tasks) { |n| { "n" => n } })
        started = Bench.clock
        @handle.work(until: :idle, threads: 5)
        took = (Bench.clock - started) / 1e3
        steps = template[:steps].size * tasks
        calls = @tally.take
        raise "#{calls} calls of handlers for #{steps} steps" unless calls == steps
        raise "not every task is complete" unless ids.all? { |id| @handle.task(id).complete? }

        took / steps
      end
    end
  end
end
