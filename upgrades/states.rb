# frozen_string_literal: true

# Makes tasks in every state that a version of the gem knows, in the database of ENV["URL"]. Each has the state's name
# for its key. Run by bin/upgrades with the library of that version; what it can't do yet is left out.
#
#   ruby -I .../lib upgrades/states.rb          # everything, some of it in child processes that die
#   ruby -I .../lib upgrades/states.rb work     # a worker, until its standard input ends

require "json"
require "logger"
require "rbconfig"
require "tmpdir"
require "tasker_core"
require_relative "patience"

$stdout.sync = true
TaskerCore.configure { |config| config.logger = Logger.new($stderr) }

# The tasks, and the processes that bring them where they are to be.
module States
  FAR = 20 * 86_400
  # What becomes of the step `charge`, by the context.
  CHARGE = {
    "fails" => ->(_) { raise TaskerCore::PermanentError, "no money" },
    "waits" => ->(_) { raise TaskerCore::RetryableError.new("busy", retry_after: FAR) },
    "hangs" => ->(_) { hang },
    "kills" => ->(ctx) { die_once(File.join(ENV.fetch("ONCE"), ctx.task_id)) || CHARGE["waits"].call(ctx) }
  }.freeze
  HANDLERS = {
    "order" => {
      validate: ->(ctx) { { "valid" => ctx.context["charge"] } },
      reserve: ->(_) { { "reserved" => [1, 2.5, nil, "é"] } },
      charge: ->(ctx) { CHARGE.fetch(ctx.context["charge"]) { ->(_) { { "charged" => true } } }.call(ctx) },
      ship: ->(_) { "shipped" }
    },
    "lenient" => { try: ->(_) { raise "no" }, go_on: ->(ctx) { ctx.result(:try) } }
  }.freeze

  module_function

  # A handler that never ends; its process is killed.
  def hang
    puts "hangs"
    sleep
  end

  def die_once(mark)
    return if File.exist?(mark)

    File.write(mark, "")
    Process.kill("KILL", Process.pid)
    sleep
  end

  def open
    handle = TaskerCore.open(ENV.fetch("URL"), lease: 1)
    templates = JSON.parse(File.read(File.join(__dir__, "templates.json")))
    templates.each { |template| handle.register(template, handlers: HANDLERS.fetch(template["name"])) }
    handle
  end

  def create(handle, key, template = "order", charge: "works", **options)
    handle.create_task(template, context: { charge: charge }, key: key, tags: ["fixture", key], **options)
  end

  # A worker in a process of its own; the block says when it has done enough.
  def work(what)
    command = [RbConfig.ruby, "-I#{$LOAD_PATH.first}", __FILE__, "work"]
    IO.popen(command, "r+") do |worker|
      Patience.until_true(what) { yield(worker) || (worker.closed? && abort("the worker ended")) }
    ensure
      Process.kill("KILL", worker.pid)
    end
  rescue Errno::ESRCH
    nil
  end

  def by_hand(handle, key, operation, *arguments, **options)
    return unless TaskerCore::Task.method_defined?(operation)

    create(handle, key).public_send(operation, *arguments, **options)
  end

  # Those that rest.
  def make_resting(handle)
    tasks = { "complete" => {}, "error" => { charge: "fails", priority: 3 }, "waiting" => { charge: "waits" } }
    tasks = tasks.to_h { |key, options| [key, create(handle, key, **options)] }
    tasks["skipped"] = create(handle, "skipped", "lenient")
    rest = { "complete" => "complete", "error" => "error", "waiting" => "in_progress", "skipped" => "complete" }
    work("tasks that come to rest") do
      waits?(tasks["waiting"]) && tasks.transform_values { |task| task.reload.status } == rest
    end
  end

  # Those that were in the hands of processes which were killed: the first one is returned by another process, and the
  # second one nobody returned.
  def make_crashed(handle)
    crashed = create(handle, "crashed", charge: "kills")
    2.times do |runs|
      work("a step that kills its worker") { |worker| runs.zero? ? ended?(worker) : waits?(crashed) }
    end
    create(handle, "held", charge: "hangs")
    work("a step that is held") { |worker| worker.wait_readable(0) && worker.gets&.start_with?("hangs") }
  end

  def ended?(worker) = !Process.wait(worker.pid, Process::WNOHANG).nil?
  def waits?(task) = task.reload.step(:charge).status == "waiting_for_retry"

  def make
    handle = open
    make_resting(handle)
    make_crashed(handle)
    create(handle, "pending", priority: -2)
    create(handle, "later", run_at: Time.now + FAR)
    create(handle, "without steps done", "lenient", queue: "other")
    by_hand(handle, "cancelled", :cancel)
    by_hand(handle, "paused", :pause)
    by_hand(handle, "resolved", :resolve)
    handle.tasks.each { |task| puts "#{task.key}: #{task.status}, #{task.steps.map(&:status).join(" ")}" }
    handle.close
  end

  def worker
    handle = open
    worker = handle.worker(threads: 3).start
    $stdin.read
    worker.stop(timeout: 5)
    handle.close
  end
end

if ARGV == ["work"]
  States.worker
else
  Dir.mktmpdir { |folder| ENV.update("ONCE" => folder) && States.make }
end
