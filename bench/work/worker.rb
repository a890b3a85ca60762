# frozen_string_literal: true

# A worker in a process of its own, as Bench::Work::Elsewhere starts it. It obeys lines on its standard input, and
# answers each with a line of JSON:
#
#   work THREADS    runs steps until nothing is left: when it began and ended
#   start THREADS   starts a worker that waits for steps
#   look            calls of handlers since the last look, the processor's time in all, resident memory
#
#   ruby -Ilib bench/work/worker.rb URL burn|clock|nothing|sleep [arenas]

require "json"
require "tasker_core"
require "tasker_core/cli/arenas"
require_relative "../support/timing"
require_relative "shapes"
require_relative "tally"

url, kind, arenas = ARGV
TaskerCore::CLI::Arenas.limit if arenas
tally = Bench::Work::Tally.new
handle = TaskerCore.open(url)
[Bench::Work::Shapes.diamond, Bench::Work::Shapes.chain(1)].each do |template|
  Bench::Work::Shapes.register(handle, template, tally.handler(kind))
end
resident = -> { File.read("/proc/self/statm").split[1].to_i * 4_096 }
$stdout.sync = true
puts JSON.generate({ pid: Process.pid })
while (line = $stdin.gets)
  command, threads = line.split
  answer = case command
           when "work"
             began = Bench.clock
             handle.work(until: :idle, threads: threads.to_i)
             { began: began, ended: Bench.clock }
           when "start"
             handle.worker(threads: threads.to_i).start
             {}
           when "look"
             { calls: tally.take, cpu: Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID),
               resident: resident.call }
           else raise ArgumentError, "no command #{command}"
           end
  puts JSON.generate(answer)
end
