# frozen_string_literal: true

require "fileutils"
require "json"

module Chaos
  # What handlers did, told outside of the database. Each process appends to a file of its own, a line with one
  # write(2): what was written is the kernel's and survives the process's SIGKILL. (Not the machine's end, which no
  # fault here is.)
  # A kill may cut a process's last line short. What it stood for has not happened: a handler begins after its line, and
  # a result is handed over after its own.
  class Journal
    # One run of a handler. `value` is what it returned, nil where it did not. Times are microseconds of this machine's
    # clock, which is the databases' clock, too.
    Run = Struct.new(:id, :task, :step, :attempt, :began_at, :parents, :value, :ended_at, keyword_init: true)

    def self.now = Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)

    # @return [Array<Run>] what all processes wrote
    def self.read(folder)
      runs = {}
      Dir["#{folder}/*.jsonl"].each { |path| whole_lines(path) { |line| add(runs, line) } }
      runs.values
    end

    def self.whole_lines(path)
      File.foreach(path) { |line| yield JSON.parse(line) if line.end_with?("\n") }
    end
    private_class_method :whole_lines

    def self.add(runs, line)
      id = line.fetch("run")
      return runs[id] = Run.new(**line.except("run").transform_keys(&:to_sym), id: id) if line.key?("task")

      run = runs.fetch(id)
      run.value = line.fetch("value")
      run.ended_at = line.fetch("ended_at")
    end
    private_class_method :add

    def initialize(folder)
      FileUtils.mkdir_p(folder)
      @name = "#{Process.pid}-#{Journal.now}"
      @file = File.new("#{folder}/#{@name}.jsonl", File::WRONLY | File::CREAT | File::APPEND)
      @count = 0
      @mutex = Mutex.new
    end

    # @return [String] the run's id
    def begun(ctx)
      run = "#{@name}-#{@mutex.synchronize { @count += 1 }}"
      write(run: run, task: ctx.task_id, step: ctx.step_name, attempt: ctx.attempt, began_at: Journal.now,
            parents: ctx.results)
      run
    end

    def ended(run, value)
      write(run: run, value: value, ended_at: Journal.now)
    end

    private

    def write(line)
      @file.syswrite("#{JSON.generate(line)}\n")
    end
  end
end
