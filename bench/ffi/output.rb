# frozen_string_literal: true

require "json"

module Bench
  module FFI
    # A task into Ruby: as an object that holds the Rust struct, and through JSON text.
    class Output
      # What is read, from the object and from the parsed text, and the most that the first may take of the second.
      READ = {
        "three fields" => ["task.id; task.status; task.name", 'h = %s; h["id"]; h["status"]; h["name"]', 0.05],
        "everything" => ["task.to_h", "%s", 0.45]
      }.freeze

      def initialize(world, timing, report)
        @world = world
        @timing = timing
        @report = report
      end

      def run
        @world.tasks.each do |size, task|
          @report.section("Out: #{size}")
          READ.each { |what, (object, text, most)| compare("out, #{size}, #{what}", task, object, text, most) }
        end
      end

      private

      def compare(name, task, object, text, most)
        locals = { bench: TaskerCore::Native::Bench, kept: task }
        typed, json = @timing.compare(Subject.new("task = bench.return_task(kept); #{object}", **locals),
                                      Subject.new(format(text, "JSON.parse(kept.to_json)"), **locals))
        @report.call("#{name}, typed", typed)
        @report.call("#{name}, JSON text", json)
        @report.row("#{name}: typed against JSON text", typed.ratio(json).round(3), "times", at_most: most)
      end
    end
  end
end
