# frozen_string_literal: true

module Bench
  module FFI
    # Calls that ask Rust for one thing, against a native call that does nothing.
    class Calls
      CALLS = %w[handle.info task.status handle.valid?].freeze

      def initialize(world, timing, report)
        @world = world
        @timing = timing
        @report = report
      end

      def run
        @report.section("Simple calls")
        locals = { handle: @world.handle, task: @world.tasks.fetch("5 fields"), bench: TaskerCore::Native::Bench.new }
        floor, *results = @timing.compare(*["bench.nothing", *CALLS].map { |call| Subject.new(call, **locals) })
        @report.call("an empty native call", floor)
        CALLS.zip(results) { |name, result| judge(name, result, floor) }
      end

      private

      def judge(name, result, floor)
        @report.call(name, result)
        @report.row("#{name}: against an empty native call", result.ratio(floor).round(3), "times", at_most: 5)
        @report.row("#{name}: in all", result.median.round(1), "ns", at_most: 1_000)
      end
    end
  end
end
