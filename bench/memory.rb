# frozen_string_literal: true

# Measures whether a worker grows while it works; see BENCHMARKS.md. `bin/bench memory` compiles in release mode and
# starts a PostgreSQL first.
#
#   ruby -Ilib bench/memory.rb [--database sqlite|postgres|both] [--quick] [--json FILE]

require_relative "support/suite"
require_relative "memory/growth"
require_relative "work/elsewhere"
require_relative "work/shapes"

# As `tasker work` runs it, and in a program that leaves glibc's malloc as it is.
PLACES = { "" => %w[arenas], ", in a program of one's own" => [] }.freeze

Bench::Suite.run do |report, databases, quick|
  databases.each do |kind, fresh|
    steps = quick ? 4_000 : 1_000_000
    PLACES.each do |name, options|
      report.section("A worker process with 5 threads over #{Bench.plain(steps)} steps, #{kind}#{name}")
      Bench::Memory::Growth.new(fresh.call, steps, options).report(report, "#{kind}#{name}")
    end
  end
end
