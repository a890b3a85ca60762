# frozen_string_literal: true

# Measures whether a step costs more when much is stored, and in large tasks; see BENCHMARKS.md. `bin/bench scale`
# compiles in release mode and starts a PostgreSQL first. It needs the commands sqlite3 and psql.
#
#   ruby -Ilib bench/scale.rb [--database sqlite|postgres|both] [--quick] [--json FILE]

require_relative "support/statements"
require_relative "support/suite"
require_relative "performance/history"
require_relative "scale/breadth"
require_relative "scale/old_snapshot"
require_relative "scale/stored"
require_relative "work/diamonds"
require_relative "work/tally"

Bench::Suite.run do |report, databases, quick|
  databases.each do |kind, fresh|
    report.section("Large tasks, #{kind}")
    Bench::Scale::Breadth.new(kind, fresh, quick: quick).report(report)

    if kind == "postgres"
      report.section("An old snapshot, postgres")
      Bench::Scale::OldSnapshot.new(fresh, quick: quick).report(report)
    end

    report.section("Much that is stored, #{kind}")
    Bench::Scale::Stored.new(kind, fresh, quick: quick).report(report)
  end
end
