# frozen_string_literal: true

# A worker of an earlier version, and this version beside it, on the database of ENV["URL"].
#
#   ruby -Ilib upgrades/beside.rb EARLIER/lib
#   ruby -IEARLIER/lib upgrades/beside.rb work     # a worker with tasks of its own, until its input ends

require "json"
require "logger"
require "open3"
require "rbconfig"
require "tasker_core"
require_relative "patience"

$stdout.sync = true

# What both versions do, and how the later one sees to it that nothing is lost.
module Beside
  BATCH = 40
  TEMPLATES = JSON.parse(File.read(File.join(__dir__, "templates.json"))).freeze

  module_function

  # A step fails once, so that timers are in play.
  def handler(ctx)
    raise TaskerCore::RetryableError.new("once", retry_after: 0.2) if ctx.step_name == "charge" && ctx.attempt == 1

    ctx.step_name
  end

  def open
    handle = TaskerCore.open(ENV.fetch("URL"), lease: 2)
    TEMPLATES.each do |template|
      handlers = template["steps"].to_h { |step| [step["name"].to_sym, method(:handler)] }
      handle.register(template, handlers: handlers)
    end
    handle
  end

  def create(handle, by)
    BATCH.times { |number| handle.create_task(TEMPLATES[number % 2]["name"], context: {}, tags: [by]) }
  end

  # Each line of its input has it create tasks.
  def work
    TaskerCore.configure { |config| config.logger = Logger.new($stdout, level: :warn) }
    handle = open
    worker = handle.worker(threads: 2).start
    puts "works"
    create(handle, "earlier") while $stdin.gets
    worker.stop(timeout: 10)
    handle.close
  end

  def all_done(handle, count)
    Patience.until_true("#{count} tasks are done") { handle.tasks(status: :complete).count == count }
    puts "  #{count} tasks are done"
  end

  # The earlier version's worker, in a process of its own.
  class Earlier
    def initialize(library)
      @command = [RbConfig.ruby, "-I#{library}", __FILE__, "work"]
      @input, @output, @thread = Open3.popen2e(*@command)
      @said = +""
      @reader = Thread.new { @output.each_line { |line| @said << line } }
    end

    def works? = @said.include?("works\n")
    def create = @input.puts

    # What it complained of.
    def end
      @input.close
      @thread.value.success? || abort("it ended with #{@thread.value}:\n#{@said}")
      @reader.join
      @said.lines.reject { |line| line == "works\n" || line.include?("RetryableError") }
    end

    # What it says when it is started now.
    def again
      said, status = Open3.capture2e(*@command, stdin_data: "")
      status.success? ? abort("it works on a newer database") : said
    end
  end

  def run(library)
    earlier = Earlier.new(library)
    Patience.until_true("the earlier version works") { earlier.works? }
    earlier.create
    handle = open
    all_done(handle, BATCH)
    both(handle, earlier)
    alone(handle, earlier)
    told = earlier.again[/^.*Error.*$/]
    puts "  started again, it says: #{told}"
    abort("that doesn't say what to do") unless told.to_s.include?("upgrade the gem")
  end

  # Both have workers, and both create tasks.
  def both(handle, earlier)
    worker = handle.worker(threads: 2).start
    earlier.create
    create(handle, "later")
    all_done(handle, 3 * BATCH)
    worker.stop(timeout: 10)
  end

  # The earlier version does what this one creates.
  def alone(handle, earlier)
    create(handle, "later")
    all_done(handle, 4 * BATCH)
    complaints = earlier.end
    check(handle)
    handle.close
    abort("it complained:\n#{complaints.join}") unless complaints.empty?
  end

  def check(handle)
    handle.tasks.each do |task|
      task.steps.each do |step|
        moves = task.history.select { |move| move.step_name == step.name }
        next if done_once?(step) && leads?(moves)

        abort("#{task.id}/#{step.name}: #{step.inspect}: #{moves.map(&:to_h)}")
      end
    end
  end

  def done_once?(step)
    step.result == step.name && step.attempts == (step.name == "charge" ? 2 : 1)
  end

  # From nothing to the end, each move from where the last one led.
  def leads?(moves)
    moves.first.from.nil? && moves.each_cons(2).all? do |one, other|
      one.to == other.from
    end && moves.last.to == "complete"
  end
end

ARGV == ["work"] ? Beside.work : Beside.run(ARGV.fetch(0))
