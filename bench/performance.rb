# frozen_string_literal: true

# Measures what TaskerCore::Performance costs with 100,000 tasks stored; see BENCHMARKS.md. `bin/bench performance`
# compiles in release mode first. It needs the command sqlite3, and psql where a PostgreSQL database is given, which
# has to be empty.
#
#   ruby -Ilib bench/performance.rb [--quick] [--json FILE]
#   TASKER_BENCH_DATABASE_URL=postgres://… ruby -Ilib bench/performance.rb

require "json"
require "optparse"
require "tasker_core"
require_relative "support/machine"
require_relative "support/report"
require_relative "performance/history"

options = { quick: false }
OptionParser.new do |parser|
  parser.on("--quick", "Show only that everything runs: figures mean nothing, targets are not judged") do
    options[:quick] = true
  end
  parser.on("--json FILE", "Write the rows and the machine there, too") { |path| options[:json] = path }
end.parse!

# The most that an answer may take, in milliseconds.
MOST = 20

# The median of several calls, in milliseconds.
def milliseconds(times)
  yield
  took = Array.new(times) do
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    yield
    (Process.clock_gettime(Process::CLOCK_MONOTONIC) - started) * 1_000
  end
  took.sort[times / 2].round(2)
end

tasks = options[:quick] ? 1_000 : Bench::Performance::History::TASKS
times = options[:quick] ? 3 : 31
most = options[:quick] ? nil : MOST
machine = Bench::Machine.describe
machine.each { |key, value| puts "#{key}: #{value}" }
report = Bench::Report.new

histories = { "sqlite" => -> { Bench::Performance::SqliteHistory.open(tasks) } }
if (url = ENV.fetch("TASKER_BENCH_DATABASE_URL", nil))
  histories["postgres"] = -> { Bench::Performance::PostgresHistory.open(url, tasks) }
end
histories.each do |name, open|
  history = open.call
  performance = history.handle.performance
  id = history.waiting.first
  report.section("#{name}: #{tasks} tasks stored, 600 of them ended in the last hour")
  { "task_execution_context" => -> { performance.task_execution_context(id) },
    "viable_steps" => -> { performance.viable_steps(id) }, "dependencies" => -> { performance.dependencies(id) },
    "system_health" => -> { performance.system_health }, "analytics, the last hour" => -> { performance.analytics },
    "slowest_steps, the last hour" => -> { performance.slowest_steps },
    "slowest_tasks, the last hour" => -> { performance.slowest_tasks } }.each do |title, call|
    report.row("#{name}: #{title}", milliseconds(times, &call), "ms", at_most: most)
  end
  # What a wider window costs: no target, it grows with what ended in it.
  [24, 24 * 8].each do |hours|
    since = Time.now - (hours * 3_600)
    ended = performance.analytics(since: since).ended
    took = milliseconds([times / 10, 1].max) { performance.analytics(since: since) }
    report.row("#{name}: analytics, #{hours} h, #{ended} tasks ended", took, "ms")
  end
  history.close
end

report.write(options[:json], machine) if options[:json]
missed = report.missed
puts "", missed.empty? ? "Every target is met." : "Missed: #{missed.map { |row| row[:name] }.join("; ")}"
exit(missed.empty? || options[:quick])
