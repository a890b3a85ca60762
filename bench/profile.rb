# frozen_string_literal: true

# Measures where the processor time of one worker process goes, by samples of Linux' perf; see BENCHMARKS.md.
# `bin/bench profile` compiles in release mode and starts a PostgreSQL first.
#
#   ruby -Ilib bench/profile.rb [--database sqlite|postgres|both] [--quick] [--json FILE]

require_relative "support/suite"
require_relative "profile/samples"
require_relative "work/diamonds"

Bench::Suite.run do |report, databases, quick|
  tasks = quick ? 5_000 : 50_000
  possible = Bench::Profile::Samples.possible?
  databases.each do |kind, fresh|
    report.section("Processor time of a worker's process for each no-op step, #{kind}")
    next report.absent("#{kind}: processor time", "perf is missing, or may not look") unless possible

    diamonds = Bench::Work::Diamonds.new(fresh.call)
    diamonds.create(tasks)
    spent = 0
    samples = Bench::Profile::Samples.taken do
      before = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :float_microsecond)
      diamonds.run(tasks)
      spent = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :float_microsecond) - before
    end
    diamonds.close
    sample = spent / (tasks * Bench::Work::Diamonds::STEPS) / samples.size
    owners = samples.owners
    report.row("#{kind}: samples", samples.size, "")
    report.row("#{kind}: without SQLite and the kernel", sample * owners.except(:sqlite, :kernel).values.sum, "us",
               at_most: 25)
    owners.sort_by { |_, count| -count }.each { |owner, count| report.row("#{kind}: #{owner}", sample * count, "us") }
    report.section("Of that, by function of ours with the libraries that it calls, #{kind}")
    samples.functions.max_by(15) { |_, count| count }.each do |function, count|
      report.row("#{kind}: #{function}", sample * count, "us")
    end
  end
end
