# frozen_string_literal: true

# Measures how long one task takes when nothing else is going on; see BENCHMARKS.md. `bin/bench latency` compiles in
# release mode and starts a PostgreSQL first.
#
#   ruby -Ilib bench/latency.rb [--database sqlite|postgres|both] [--quick] [--json FILE]

require_relative "support/suite"
require_relative "work/elsewhere"
require_relative "work/shapes"
require_relative "work/tally"
require_relative "latency/chain"
require_relative "latency/wake_up"

Bench::Suite.run do |report, databases, quick|
  databases.each do |kind, fresh|
    report.section("A chain of four steps, an idle system, #{kind}")
    chain = Bench::Latency::Chain.new(fresh.call, quick ? 10 : 300)
    chain.report(report, kind)
    chain.close

    report.section("An idle worker in another process, #{kind}")
    wake_up = Bench::Latency::WakeUp.new(fresh.call, quick ? 3 : 60)
    wake_up.report(report, kind, at_most: (5 if kind == "postgres"))
    wake_up.close
  end
end
