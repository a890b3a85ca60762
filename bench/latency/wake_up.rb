# frozen_string_literal: true

module Bench
  module Latency
    # How soon an idle worker of another process calls a handler, once the task is committed. Both processes read the
    # machine's one monotonic clock; the handler's result is what it read.
    class WakeUp
      PAUSE = (0.2..0.4)

      def initialize(url, samples)
        @samples = samples
        @handle = TaskerCore.open(url)
        @template = Work::Shapes.chain(1)
        Work::Shapes.register(@handle, @template)
        @worker = Work::Elsewhere.new(url, "clock")
        @worker.start
      end

      # @param at_most [Numeric, nil] the target, in milliseconds
      def report(report, kind, at_most: nil)
        sample
        after, whole = Array.new(@samples) { sample }.transpose
        calls = @worker.look[:calls]
        raise "#{calls} calls for #{@samples + 1} tasks" unless calls == @samples + 1

        title = "#{kind}: an idle worker elsewhere, from commit to handler"
        report.row("#{title}, p50", milliseconds(after, 0.5), "ms", at_most: at_most)
        report.row("#{title}, p99", milliseconds(after, 0.99), "ms")
        report.row("#{kind}: the same from the call of create_task, p50", milliseconds(whole, 0.5), "ms")
      end

      def close
        @worker.close
        @handle.close
      end

      private

      # Nanoseconds until the handler began, since `create_task` had returned and since it was called.
      def sample
        sleep(rand(PAUSE))
        called = Bench.clock
        task = @handle.create_task(@template[:name])
        committed = Bench.clock
        task = task.wait(timeout: 30)
        raise "a task of another process ended as #{task&.status.inspect}" unless task&.complete?

        began = task.step("s0").result
        [began - committed, began - called]
      end

      def milliseconds(samples, share) = (Bench.quantile(samples, share) / 1e6).round(3)
    end
  end
end
