# frozen_string_literal: true

# Counts what a busy worker asks of PostgreSQL for each step; see BENCHMARKS.md. Nothing in it is a time.
# `bin/bench counts` compiles in release mode and starts a server for it; so does `bin/test`, with --check.
#
#   ruby -Ilib bench/counts.rb [--check] [--keep] [--quick] [--json FILE]

require "json"
require "optparse"
require "tasker_core"
require_relative "support/machine"
require_relative "support/report"
require_relative "support/timing"
require_relative "support/databases"
require_relative "counts/kept"
require_relative "counts/steps"

options = { quick: false }
OptionParser.new do |parser|
  parser.on("--check", "Judge by bench/counts.json, instead of the targets") { options[:check] = true }
  parser.on("--keep", "Write what was counted to bench/counts.json") { options[:keep] = true }
  parser.on("--quick", "Show only that everything runs: targets are not judged") { options[:quick] = true }
  parser.on("--json FILE", "Write the rows and the machine there, too") { |path| options[:json] = path }
end.parse!

TARGETS = { "run: WAL bytes" => 1_200, "run: commits" => 0.02 }.freeze

machine = Bench::Machine.describe
machine.each { |key, value| puts "#{key}: #{value}" }
report = Bench::Report.new
kept = Bench::Counts::Kept.new
counts = Bench::Databases.new("postgres").all do |fresh|
  Bench::Counts::Steps.least(fresh["postgres"], **(options[:quick] ? { tasks: 250, rounds: 1 } : {}))
end
limits = options[:check] ? kept.limits : TARGETS
report.section("For each step of 4-step diamonds, PostgreSQL")
counts.each { |name, count| report.row(name, count.round(4), "a step", at_most: limits[name]) }
missing = options[:check] ? counts.keys - limits.keys : []
abort "bench/counts.json lacks #{missing.join(", ")}; --keep writes it" unless missing.empty?

kept.write(counts) if options[:keep]
report.write(options[:json], machine) if options[:json]
missed = report.missed
puts "", missed.empty? ? "Every target is met." : "Missed: #{missed.map { |row| row[:name] }.join("; ")}"
puts "If that is meant, bin/bench counts --keep writes the new counts down." if options[:check] && missed.any?
exit(missed.empty? || options[:quick])
