# frozen_string_literal: true

# Measures what TaskerCore::Performance costs with 100,000 tasks stored; see BENCHMARKS.md. `bin/bench performance`
# compiles in release mode and starts a PostgreSQL first. It needs the commands sqlite3 and psql.
#
#   ruby -Ilib bench/performance.rb [--database sqlite|postgres|both] [--quick] [--json FILE]

require_relative "support/suite"
require_relative "performance/history"

# The most that an answer may take, in milliseconds.
MOST = 20

# The median of several calls, in milliseconds.
def milliseconds(times)
  yield
  took = Array.new(times) do
    started = Bench.clock
    yield
    (Bench.clock - started) / 1e6
  end
  Bench.median(took).round(2)
end

Bench::Suite.run do |report, databases, quick|
  tasks = quick ? 1_000 : Bench::Performance::History::TASKS
  times = quick ? 3 : 31
  databases.each do |kind, fresh|
    history = Bench::Performance::History.in(kind, fresh.call, tasks)
    performance = history.handle.performance
    id = history.waiting.first
    report.section("#{kind}: #{tasks} tasks stored, 600 of them ended in the last hour")
    { "task_execution_context" => -> { performance.task_execution_context(id) },
      "viable_steps" => -> { performance.viable_steps(id) }, "dependencies" => -> { performance.dependencies(id) },
      "system_health" => -> { performance.system_health }, "analytics, the last hour" => -> { performance.analytics },
      "slowest_steps, the last hour" => -> { performance.slowest_steps },
      "slowest_tasks, the last hour" => -> { performance.slowest_tasks } }.each do |title, call|
      report.row("#{kind}: #{title}", milliseconds(times, &call), "ms", at_most: MOST)
    end
    # What a wider window costs: no target, it grows with what ended in it.
    [24, 24 * 8].each do |hours|
      since = Time.now - (hours * 3_600)
      ended = performance.analytics(since: since).ended
      took = milliseconds([times / 10, 1].max) { performance.analytics(since: since) }
      report.row("#{kind}: analytics, #{hours} h, #{ended} tasks ended", took, "ms")
    end
    history.close
  end
end
