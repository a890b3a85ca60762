# frozen_string_literal: true

module Bench
  module Memory
    # The resident memory of a worker that runs diamonds which another process creates, wave by wave: a sample after
    # each.
    class Growth
      WAVES = 100
      # Seconds without a step before the run is given up.
      PATIENCE = 60

      def initialize(url, steps, options)
        @wave = steps / WAVES
        @handle = TaskerCore.open(url)
        Work::Shapes.register(@handle, Work::Shapes.diamond)
        @worker = Work::Elsewhere.new(url, "nothing", *options)
        @worker.start
      end

      def report(report, name)
        samples = Array.new(WAVES) { wave }
        check
        first, last = [samples.first(WAVES / 10), samples.last(WAVES / 10)].map { |tenth| tenth.sum / tenth.size.to_f }
        report.row("#{name}: resident, first tenth", (first / 1e6).round(1), "MB")
        report.row("#{name}: resident, most", (samples.max / 1e6).round(1), "MB")
        report.row("#{name}: resident, last tenth", (last / 1e6).round(1), "MB")
        report.row("#{name}: last tenth against first tenth", (last / first).round(3), "times", at_most: 1.05)
      ensure
        @worker.close
        @handle.close
      end

      private

      # The last calls were counted before their results are stored.
      def check
        deadline = Bench.clock + (PATIENCE * 1e9)
        until (complete = @handle.tasks(status: "complete").count) == WAVES * @wave / 4
          raise "#{complete} diamonds are complete" if Bench.clock > deadline

          sleep 0.1
        end
      end

      # Bytes, once every step of a wave was called, and none twice.
      def wave
        @handle.create_tasks("diamond", contexts: Array.new(@wave / 4) { |n| { "n" => n } })
        calls = 0
        since = Bench.clock
        loop do
          seen = @worker.look
          calls += seen[:calls]
          since = Bench.clock if seen[:calls].positive?
          raise "#{calls} calls of handlers for #{@wave} steps" if calls > @wave || stuck?(since)
          return seen[:resident] if calls == @wave

          sleep 0.02
        end
      end

      def stuck?(since) = Bench.clock - since > PATIENCE * 1e9
    end
  end
end
