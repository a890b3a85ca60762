# frozen_string_literal: true

# Measures how many durable steps one worker process does a second, and how fast tasks are created; see BENCHMARKS.md.
# `bin/bench throughput` compiles in release mode and starts a PostgreSQL first.
#
#   ruby -Ilib bench/throughput.rb [--database sqlite|postgres|both] [--quick] [--json FILE]

require_relative "support/suite"
require_relative "throughput/elsewhere"
require_relative "work/creation"
require_relative "work/diamonds"

Bench::Suite.run do |report, databases, quick|
  tasks = quick ? 50 : 10_000
  rounds = quick ? 1 : 5
  databases.each do |kind, fresh|
    report.section("Diamonds of no-op handlers, one worker process with 5 threads, #{kind}")
    diamonds = Bench::Work::Diamonds.new(fresh.call)
    rates = Array.new(rounds) do
      diamonds.create(tasks)
      tasks * Bench::Work::Diamonds::STEPS / diamonds.run(tasks)
    end
    report.row("#{kind}: durable steps", Bench.median(rates).round, "steps/s")
    report.row("#{kind}: slowest round", rates.min.round, "steps/s")
    diamonds.close

    report.section("Creation, #{kind}")
    diamonds = Bench::Work::Diamonds.new(fresh.call)
    Bench::Work::Creation.new(diamonds.handle, report, kind, quick: quick).run
    diamonds.close

    report.section("Handlers that take time, #{kind}")
    Bench::Throughput::Elsewhere.new(kind, fresh, quick: quick).report(report)
  end
end
