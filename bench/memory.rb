# frozen_string_literal: true

# Measures whether a worker grows while it works; see BENCHMARKS.md. `bin/bench memory` compiles in release mode and
# starts a PostgreSQL first.
#
#   ruby -Ilib bench/memory.rb [--database sqlite|postgres|both] [--quick] [--json FILE]

require_relative "support/suite"
require_relative "memory/growth"
require_relative "work/elsewhere"
require_relative "work/shapes"

# As it comes, and as OPERATIONS.md has a service run.
ALLOCATORS = { "" => {}, ", two arenas" => { "MALLOC_ARENA_MAX" => "2" } }.freeze

Bench::Suite.run do |report, databases, quick|
  databases.each do |kind, fresh|
    steps = quick ? 4_000 : 1_000_000
    ALLOCATORS.each do |name, env|
      report.section("A worker process with 5 threads over #{Bench.plain(steps)} steps, #{kind}#{name}")
      Bench::Memory::Growth.new(fresh.call, steps, env).report(report, "#{kind}#{name}")
    end
  end
end
