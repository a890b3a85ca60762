# frozen_string_literal: true

require "json"

module Bench
  module FFI
    # The options of create_task into a typed struct: straight from the Hash, and through JSON text.
    class Input
      def initialize(timing, report)
        @timing = timing
        @report = report
      end

      def run
        SIZES.each do |size, context|
          @report.section("In: #{size}")
          input = { name: "order", namespace: "default", context: context }
          locals = { bench: TaskerCore::Native::Bench.new, input: input }
          typed, json = @timing.compare(Subject.new("bench.read_task(input)", **locals),
                                        Subject.new("bench.read_task_json(JSON.generate(input))", **locals))
          @report.call("in, #{size}, typed", typed)
          @report.call("in, #{size}, JSON text", json)
          @report.row("in, #{size}: typed against JSON text", typed.ratio(json).round(3), "times", at_most: 0.30)
        end
      end
    end
  end
end
