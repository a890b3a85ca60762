# frozen_string_literal: true

# Measures the boundary between Ruby and Rust; see BENCHMARKS.md. `bin/bench ffi` compiles in release mode first.
#
#   ruby -Ilib bench/ffi.rb [--quick] [--json FILE]

require "json"
require "optparse"
require "tasker_core"
require_relative "support/machine"
require_relative "support/report"
require_relative "support/subject"
require_relative "support/timing"
require_relative "ffi/calls"
require_relative "ffi/input"
require_relative "ffi/memory"
require_relative "ffi/output"
require_relative "ffi/sizes"
require_relative "ffi/threads"

options = { quick: false }
OptionParser.new do |parser|
  parser.on("--quick", "Show only that everything runs: figures mean nothing, targets are not judged") do
    options[:quick] = true
  end
  parser.on("--json FILE", "Write the rows and the machine there, too") { |path| options[:json] = path }
end.parse!

machine = Bench::Machine.describe
machine.each { |key, value| puts "#{key}: #{value}" }
report = Bench::Report.new
timing = Bench::Timing.new(options[:quick] ? Bench::Timing::QUICK : Bench::Timing::FULL)
world = Bench::FFI::World.new

Bench::FFI::Calls.new(world, timing, report).run
Bench::FFI::Input.new(timing, report).run
Bench::FFI::Output.new(world, timing, report).run
Bench::FFI::Memory.new(report, quick: options[:quick]).run
Bench::FFI::Threads.new(world, report, quick: options[:quick]).run

report.write(options[:json], machine) if options[:json]
missed = report.missed
puts "", missed.empty? ? "Every target is met." : "Missed: #{missed.map { |row| row[:name] }.join("; ")}"
exit(missed.empty? || options[:quick])
