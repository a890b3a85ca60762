# frozen_string_literal: true

# What the examples share: their options, lines that threads do not mix up, and a table.

require "fileutils"
require "optparse"

module Demo
  module_function

  # The options that every example takes: :database and :run.
  def options(argv, program, **defaults)
    options = { run: "demo", **defaults }
    OptionParser.new do |parser|
      parser.banner = "Usage: ruby -Ilib examples/#{program} [options]"
      parser.on("--database URL", "where the tasks are kept (#{options[:database]})") { |url| options[:database] = url }
      parser.on("--run NAME", "the tasks' name; the same finds the same tasks (demo)") { |name| options[:run] = name }
    end.parse(argv)
    make_folder(options[:database])
    options
  rescue OptionParser::ParseError => e
    abort "#{e.message}; --help lists the options"
  end

  # SQLite makes the file, but not the folder that it stands in.
  def make_folder(url)
    path = url[%r{\Asqlite:(?://)?(?!:memory:)([^?]+)}, 1]
    FileUtils.mkdir_p(File.dirname(path)) if path
  end

  def title(text)
    say "\n#{text}\n#{"-" * text.length}"
  end

  # One write for the whole line, so that threads don't cut into one another's.
  def say(text)
    $stdout.write("#{text}\n")
    $stdout.flush
  end

  def ran(ctx, text)
    say format("  %-26s attempt %d  %s", ctx.step_name, ctx.attempt, text)
  end

  # Says what an earlier run left, when there was one.
  def say_what_is_recorded(tasks)
    steps = tasks.flat_map(&:steps)
    recorded = steps.count(&:finished_at)
    held = steps.count { |step| step.status == "in_progress" }
    if (recorded + held).positive?
      say "#{recorded} of #{steps.length} steps were recorded by an earlier run; they don't run again."
    end
    return unless held.positive?

    say "#{held} more are held by a run that is gone or still at work. What a dead run held is free when its " \
        "lease ends, within 15 s."
  end

  # Runs whatever is due, and says how many steps that were.
  def work(handle)
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    summary = handle.work(until: :idle, threads: 5)
    seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
    say format("%<ran>d steps ran in %<seconds>.1f s.", ran: summary.ran, seconds: seconds)
  end

  # The message of a step's last error.
  def reason(step)
    step.error.to_h.transform_keys(&:to_s)["message"] if step.error
  end

  def table(heading, rows)
    lines = [heading, *rows].map { |row| row.map(&:to_s) }
    widths = lines.transpose.map { |column| column.map(&:length).max }
    lines.insert(1, widths.map { |width| "-" * width })
    say ""
    lines.each { |line| say "  #{line.zip(widths).map { |cell, width| cell.ljust(width) }.join("  ").rstrip}" }
  end
end
