# frozen_string_literal: true

# Measures what a worker costs that has nothing to do; see BENCHMARKS.md. `bin/bench idle` compiles in release mode and
# starts a PostgreSQL first.
#
#   ruby -Ilib bench/idle.rb [--database sqlite|postgres|both] [--quick] [--json FILE]

require_relative "support/statements"
require_relative "support/suite"
require_relative "work/elsewhere"
require_relative "work/shapes"

Bench::Suite.run do |report, databases, quick|
  settle, span = quick ? [1, 2] : [10, 60]
  databases.each do |kind, fresh|
    url = fresh.call
    statements = Bench::Statements.new(url) if kind == "postgres"
    handle = TaskerCore.open(url)
    Bench::Work::Shapes.register(handle, Bench::Work::Shapes.diamond)
    worker = Bench::Work::Elsewhere.new(url, "nothing")
    worker.start
    # One that has worked before: what it did then must not go on costing.
    handle.create_task("diamond").wait(timeout: 30)
    calls = worker.look[:calls]
    raise "#{calls} calls of handlers for a diamond" unless calls == 4

    handle.close
    sleep(settle)
    report.section("A worker with 5 threads and nothing to do, over #{span} s, #{kind}")
    statements&.reset
    began = Bench.clock
    before = worker.look[:cpu]
    sleep(span)
    after = worker.look[:cpu]
    seconds = (Bench.clock - began) / 1e9
    report.row("#{kind}: of one core", (100 * (after - before) / seconds).round(3), "%", at_most: 0.5)
    if statements
      report.row("postgres: queries", (statements.queries / seconds).round(2), "1/s", at_most: 2)
      report.row("postgres: with what begins and ends transactions", (statements.calls / seconds).round(2), "1/s")
      statements.most(3).each { |text, times| report.row("  #{text}", (times / seconds).round(2), "1/s") }
    end
    worker.close
  end
end
