# frozen_string_literal: true

require "securerandom"
require_relative "../tasker_core"
require_relative "testing/echo_handler"
require_relative "testing/ledger"
require_relative "testing/foundation"
require_relative "testing/pattern_workflow"
require_relative "testing/workflow_run"
require_relative "testing/standing"
require_relative "testing/runner"
require_relative "testing/lone_step"
require_relative "testing/mode"
require_relative "testing/stage"
require_relative "testing/ruby_clock"
require_relative "testing/injected_failures"
require_relative "testing/crash"
require_relative "testing/caller_worker"
require_relative "testing/drain"
require_relative "testing/creation"
require_relative "testing/called_run"
require_relative "testing/likeness"
require_relative "testing/picture"
require_relative "testing/expectations/of_a_task"
require_relative "testing/expectations/complete_task"
require_relative "testing/expectations/complete_step"
require_relative "testing/expectations/fail_step"
require_relative "testing/expectations/run_in_order"
require_relative "testing/expectations/start_task"
require_relative "testing/kit"

module TaskerCore
  # What specs of step handlers and workflows are built with. It is loaded by `require "tasker_core/testing"` only, or
  # by `require "tasker_core/rspec"` and `require "tasker_core/minitest"`, which bring it into a suite with matchers and
  # assertions.
  #
  # * {Mode} says what becomes of the tasks that the tested code creates; {Kit} runs them, makes their steps fail, and
  #   lets time pass.
  # * {.run_step} runs one handler as a worker would, without a database.
  # * {.create_foundation}, {.create_task} and {.create_workflow} make templates and tasks in one call;
  #   {.run_workflow} works on a task until it has ended, and gives all there is to look at.
  # * {.advance_time} moves the database's clock: retries, timers, `run_at` and leases fall due without waiting.
  # * {.cleanup} removes what was made and moves the clock back; {Helpers} does so after every example.
  #
  # The first argument is the handle to work on; where it is left out, the default one ({TaskerCore.handle}). Factories
  # touch a database only if its name has the word "test" in it (`sqlite:app_test.sqlite3`, `postgres://host/app_test`),
  # or is `sqlite::memory:`; another one is refused with a {ConfigurationError} unless `force: true` is given, once for
  # a handle until the next cleanup.
  #
  # @example A workflow of your own
  #   require "tasker_core/testing"
  #
  #   class Greeting < TaskerCore::Workflow
  #     step(:find) { |ctx| ctx.context["name"] }
  #     step(:greet, depends_on: :find) { |ctx| "hello #{ctx.result(:find)}" }
  #   end
  #
  #   handle = TaskerCore.open("sqlite::memory:")
  #   task = TaskerCore::Testing.create_task(handle, template: Greeting, context: { name: "Ada" })
  #   run = TaskerCore::Testing.run_workflow(handle, task)
  #   run.order # => ["find", "greet"]
  #   run.results["greet"] # => "hello Ada"
  #   TaskerCore::Testing.cleanup(handle)
  #
  # @example A retry, without waiting for it
  #   require "tasker_core/testing"
  #
  #   handle = TaskerCore.open("sqlite::memory:")
  #   flow = TaskerCore::Testing.create_workflow(handle, pattern: :linear, steps: %w[charge ship]) do |ctx|
  #     raise TaskerCore::RetryableError.new("busy", retry_after: 3600) if ctx.attempt == 1
  #
  #     ctx.attempt
  #   end
  #   TaskerCore::Testing.run_workflow(flow, travel: true).results # => { "charge" => 2, "ship" => 2 }
  module Testing
    # The namespace of what names none.
    NAMESPACE = "testing"

    extend Mode

    module_function

    # A namespace with a template of named steps, registered on the handle.
    #
    # @param handle [OrchestrationHandle]
    # @param namespace [String]
    # @param name [String, nil] the template's; one of its own where it is left out
    # @param version [String]
    # @param steps [Array<String, Symbol, Hash>] names, or Hashes as in a template (`{ name: "b", depends_on: "a" }`)
    # @param defaults [Hash] for every step: `retry_limit`, `timeout`, `backoff` and so on
    # @param handlers [Hash{String, Symbol => Class, #call}] handlers by step
    # @param force [Boolean] whether a database may be touched that is not named as one for tests
    # @yieldparam ctx [StepContext] the block does every step that has no handler; without one, {EchoHandler} does
    # @return [Foundation]
    # @raise [ConfigurationError] when the database is not named as one for tests
    # @raise [ValidationError] when the template is wrong
    # @example
    #   require "tasker_core/testing"
    #
    #   handle = TaskerCore.open("sqlite::memory:")
    #   shop = TaskerCore::Testing.create_foundation(handle, namespace: "shop", name: "order", steps: %w[pay ship])
    #   shop.steps # => ["pay", "ship"]
    #   shop.create_task(context: { id: 7 }).namespace # => "shop"
    def create_foundation(handle = TaskerCore.handle, namespace: NAMESPACE, name: nil, version: "1.0.0",
                          steps: %w[step1], defaults: {}, handlers: {}, force: false, &handler)
      name ||= "foundation_#{SecureRandom.hex(4)}"
      template = { namespace: namespace, name: name, version: version, defaults: defaults,
                   steps: steps.map { |step| step.is_a?(Hash) ? step : { name: step } } }
      Foundation.new(handle, Ledger.of(handle, force: force).register(template, handlers, handler))
    end

    # A task.
    #
    # @param handle [OrchestrationHandle]
    # @param template [Foundation, Template, Class<Workflow>, String, Symbol, nil] what it runs; a new foundation of
    #   one step where it is left out. A template of your own stays when the task is cleaned up
    # @param force [Boolean] see {.create_foundation}
    # @param options [Hash] those of {OrchestrationHandle#create_task}: `context:`, `key:`, `run_at:` and so on
    # @return [Task]
    # @raise [ConfigurationError] when the database is not named as one for tests
    # @raise [ValidationError, NotFoundError, DuplicateTaskError] see {OrchestrationHandle#create_task}
    # @example
    #   require "tasker_core/testing"
    #
    #   handle = TaskerCore.open("sqlite::memory:")
    #   TaskerCore::Testing.create_task(handle, context: { id: 7 }, priority: 3).priority # => 3
    def create_task(handle = TaskerCore.handle, template: nil, force: false, **options)
      ledger = Ledger.of(handle, force: force)
      template ||= Testing.create_foundation(handle)
      ledger.create_task(template.is_a?(Foundation) ? template.template : template, options)
    end

    # A template whose steps have the shape of a pattern, and a task of it. The edges are real: they are stored, and a
    # step sees the results of those that it depends on.
    #
    #     linear            diamond               parallel
    #
    #     1 → 2 → 3           ┌→ 2 ─┐             1 ─┐
    #                       1 ┼→ 3 ─┼→ 5          2 ─┼→ 4
    #                         └→ 4 ─┘             3 ─┘
    #
    #     tree                                    dense: each layer to all of the next
    #
    #         ┌→ 2 ┬→ 4                           1 ─┬→ 4 ─┬→ 7
    #       1 ┤    └→ 5                           2 ─┼→ 5 ─┼→ 8
    #         └→ 3 ┬→ 6                           3 ─┴→ 6 ─┴→ 9
    #              └→ 7
    #
    # A tree branches in two and is never joined; a dense workflow's layers are as wide as there are layers.
    #
    # @param handle [OrchestrationHandle]
    # @param pattern [Symbol, String] `:linear`, `:diamond`, `:parallel`, `:tree` or `:dense`
    # @param steps [Integer, Array<String, Symbol>, nil] how many, or their names; at most 1000. Default: 3, 4, 4, 7 and
    #   9 steps, called `step1` and so on
    # @param namespace [String]
    # @param name [String, nil] the template's; one of its own where it is left out
    # @param version [String]
    # @param defaults [Hash] for every step: `retry_limit`, `timeout`, `backoff` and so on
    # @param handlers [Hash{String, Symbol => Class, #call}] handlers by step
    # @param force [Boolean] see {.create_foundation}
    # @param options [Hash] of the task: those of {OrchestrationHandle#create_task}
    # @yieldparam ctx [StepContext] the block does every step that has no handler; without one, {EchoHandler} does
    # @return [PatternWorkflow]
    # @raise [ConfigurationError] when the database is not named as one for tests
    # @raise [ValidationError] when there is no such pattern, or it has not so many steps; when an option is wrong
    # @example
    #   require "tasker_core/testing"
    #
    #   handle = TaskerCore.open("sqlite::memory:")
    #   flow = TaskerCore::Testing.create_workflow(handle, pattern: :diamond, steps: %w[check pay pack ship])
    #   flow.layers # => [["check"], ["pay", "pack"], ["ship"]]
    #   flow.task.step(:ship).depends_on # => ["pay", "pack"]
    #   TaskerCore::Testing.run_workflow(flow).status # => "complete"
    def create_workflow(handle = TaskerCore.handle, pattern: :linear, steps: nil, namespace: NAMESPACE, name: nil,
                        version: "1.0.0", defaults: {}, handlers: {}, force: false, **options, &handler)
      ledger = Ledger.of(handle, force: force)
      shape = Native.pattern_steps({ pattern: pattern, steps: steps })
      name ||= "#{pattern}_#{SecureRandom.hex(4)}"
      template = { namespace: namespace, name: name, version: version, defaults: defaults,
                   steps: shape.map { |step| step.slice(:name, :depends_on) } }
      registered = ledger.register(template, handlers, handler)
      PatternWorkflow.new(handle, registered, pattern.to_sym, shape, ledger.create_task(registered, options))
    end

    # Runs a workflow to its end, and gives the ended task; or works on a task that is there.
    #
    # A workflow runs on the thread that calls this, in the engine in memory of {Mode} unless a handle is given: its
    # handlers see what the test has set up (a transaction, a mock, a thread's variables), and the time of retries and
    # of `run_at` is skipped. Tasks that its handlers start run, too.
    #
    # A task that is there is worked on in threads of this process. Other steps that are ready run too.
    #
    # @overload run_workflow(workflow, **context)
    #   @param workflow [Class<Workflow>, Template, String, Symbol] a name may have its namespace before it,
    #     `"orders/fulfil_order"`; whose it can be, {Mode} says
    #   @param context [Hash] the task's input
    #   @return [Task] as it ended, with whatever status
    # @overload run_workflow(workflow, context, **options)
    #   @param context [Hash] the task's input
    #   @param options [Hash] those of {OrchestrationHandle#create_task}: `key:`, `queue:` and so on
    #   @return [Task]
    # @overload run_workflow(handle, workflow, **context)
    #   @param handle [OrchestrationHandle] on which the task is created
    #   @return [Task]
    # @overload run_workflow(handle = nil, task, timeout: 10, threads: 5, travel: false, force: false)
    #   @param handle [OrchestrationHandle, nil] that of the workflow where it is left out, or else the default one
    #   @param task [PatternWorkflow, Task] or the id of a task
    #   @param timeout [Numeric] seconds that it may take
    #   @param threads [Integer] 1 to 1000
    #   @param travel [Boolean] whether the clock is moved to the next retry or `run_at` whenever there is nothing else
    #     to do ({.advance_time})
    #   @param force [Boolean] see {.create_foundation}
    #   @return [WorkflowRun] the ended task and what happened to it
    # @raise [NotEndedError] when it has not ended by then, as soon as that is plain: it says what each step waits for
    # @raise [ConfigurationError] when the database is not named as one for tests
    # @example A workflow
    #   require "tasker_core/testing"
    #
    #   class FulfilOrder < TaskerCore::Workflow
    #     step(:charge) { |ctx| raise "busy" if ctx.attempt < 3 }
    #     step(:ship, depends_on: :charge) { |ctx| "order #{ctx.context["order_id"]}" }
    #   end
    #
    #   task = TaskerCore::Testing.run_workflow(FulfilOrder, order_id: 7)
    #   task.step(:charge).attempts # => 3
    #   task.step(:ship).result # => "order 7"
    # @example A task that does not end
    #   require "tasker_core/testing"
    #
    #   handle = TaskerCore.open("sqlite::memory:")
    #   flow = TaskerCore::Testing.create_workflow(handle, pattern: :linear, run_at: Time.now + 3600)
    #   begin
    #     TaskerCore::Testing.run_workflow(flow)
    #   rescue TaskerCore::Testing::NotEndedError => e
    #     e.task.status # => "pending"
    #   end
    #   TaskerCore::Testing.advance_time(handle, 3600)
    #   TaskerCore::Testing.run_workflow(flow).status # => "complete"
    def run_workflow(*given, **options)
      handle = given.shift if given.size > 1 && !CalledRun.workflow?(given.first)
      workflow, context = given
      raise ArgumentError, "run_workflow takes a workflow or a task" if workflow.nil?

      return CalledRun.new(handle, workflow, context, options).run if CalledRun.workflow?(workflow)

      Testing.send(:run_task, handle, workflow, **options)
    end

    # Runs one step's handler as a worker does, without a database: with the same context, the same rules for what it
    # may ask for, and the same conversion of its result. What it raises is raised here.
    #
    # @param handler [Class, #call, String, Class<Workflow>] a handler, or a workflow with the name of its step
    # @param step [String, Symbol] its name; needed for a workflow
    # @param context [Hash] the task's input
    # @param results [Hash{String, Symbol => Object}] results of steps that it depends on. Those of a handler alone are
    #   the ones given here; a workflow's are declared there, and one that is left out counts as skipped: its result is
    #   nil
    # @param attempt [Integer] 1 to its `retry_limit`
    # @param options [Hash] these, and for a handler alone those of {Workflow.step} without `depends_on`, `job` and
    #   `arguments`
    # @option options [Object] :checkpoint what an earlier attempt saved
    # @option options [Hash] :headers ({})
    # @option options [Object] :item of a step with `each:`
    # @option options [Integer] :item_index (0)
    # @option options [Boolean] :cancelled (false) whether it was taken from its handler
    # @option options [Boolean] :expired (false) whether its time is over
    # @option options [Boolean] :stopping (false) whether its worker stops
    # @yieldparam ctx [StepContext] when the handler has returned: what did it choose ({StepContext#routed})?
    # @return [Object] what steps that depend on it would see
    # @raise [ValidationError] when the result is no JSON value or breaks the step's `output:` schema, an option is
    #   wrong, or a step with `branches:` chose none
    # @example
    #   require "tasker_core/testing"
    #
    #   class ChargeCard < TaskerCore::StepHandler
    #     def call(ctx)
    #       raise TaskerCore::PermanentError, "declined" if ctx.result(:validate)["total"] > 100
    #
    #       { charged: ctx.result(:validate)["total"], attempt: ctx.attempt }
    #     end
    #   end
    #
    #   result = TaskerCore::Testing.run_step(ChargeCard, results: { validate: { total: 5 } }, attempt: 2)
    #   result # => { "charged" => 5, "attempt" => 2 }
    def run_step(handler, step = nil, context: {}, results: {}, attempt: 1, **options)
      LoneStep.new(handler, step, options).call(context: context, results: results, attempt: attempt) do |ctx|
        yield ctx if block_given?
      end
    end

    # Moves the database's clock forward for every handle of this process on that database: retries, a task's `run_at`
    # and the leases of other workers fall due, and workers of this process look for them at once. Other processes keep
    # their time, and so do timeouts of steps.
    #
    # @param handle [OrchestrationHandle]
    # @param seconds [Numeric] or an ActiveSupport::Duration; the clock can be a hundred years ahead
    # @param force [Boolean] see {.create_foundation}
    # @return [Time] the database's time from now on
    # @raise [ValidationError] when it is no number of seconds, or too large
    # @raise [ConfigurationError] when the database is not named as one for tests
    # @example
    #   require "tasker_core/testing"
    #
    #   handle = TaskerCore.open("sqlite::memory:")
    #   before = TaskerCore::Testing.now(handle)
    #   TaskerCore::Testing.advance_time(handle, 3600) - before >= 3600 # => true
    def advance_time(handle = TaskerCore.handle, seconds, force: false) # rubocop:disable Style/OptionalArguments -- the handle comes first everywhere
      ledger = Ledger.of(handle, force: force)
      span = Seconds.parse(seconds, "seconds") or
        raise ValidationError.at("seconds", "is a number of seconds", expected: "seconds", got: "nil")
      ledger.advance(span)
    end

    # @param handle [OrchestrationHandle]
    # @param force [Boolean] see {.create_foundation}
    # @return [Time] the database's time
    def now(handle = TaskerCore.handle, force: false)
      Ledger.of(handle, force: force).now
    end

    # Removes what the factories made, and moves the clock back: their templates with all tasks of these, whoever
    # created those, and their tasks of other templates. Nothing else is touched; the names of namespaces stay. A worker
    # may hold steps of these tasks: what it reports of them is dropped. The handle may be closed or expired by now.
    #
    # With a block, does so after it.
    #
    # @param handle [OrchestrationHandle, nil] what was made on this one; on every handle where it is left out
    # @yieldreturn [Object]
    # @return [Object, nil] what the block returned
    # @raise [DatabaseError] when the database fails; the next call tries again
    # @example
    #   require "tasker_core/testing"
    #
    #   handle = TaskerCore.open("sqlite::memory:")
    #   TaskerCore::Testing.cleanup(handle) { TaskerCore::Testing.create_task(handle).status } # => "pending"
    #   handle.tasks.count # => 0
    def cleanup(handle = nil)
      yield if block_given?
    ensure
      Ledger.clean_up(handle)
    end

    # Works on a task that is there; see {.run_workflow}.
    def run_task(handle, workflow, timeout: 10, threads: 5, travel: false, force: false)
      handle ||= workflow.is_a?(Foundation) ? workflow.handle : TaskerCore.handle
      task = workflow.is_a?(PatternWorkflow) ? workflow.task : workflow
      Ledger.of(handle, force: force)
      task = handle.task(task.is_a?(Task) ? task.id : task)
      Runner.new(handle, task, timeout: timeout, threads: threads, travel: travel).run
    end
    private_class_method :run_task
    private :run_task

    # For `include` in example groups of RSpec or test classes of Minitest: {Testing}'s methods, and a {Testing.cleanup}
    # after every example.
    #
    # @example
    #   require "tasker_core/testing"
    #   require "rspec/core"
    #
    #   RSpec.configure { |config| config.include TaskerCore::Testing::Helpers }
    module Helpers
      include Testing

      # @!visibility private
      def self.included(group)
        super
        # Minitest::Spec has an `after` too, which a group's own would replace.
        group.after { TaskerCore::Testing.cleanup } if group.respond_to?(:append_after)
      end

      # Minitest's hook after each test.
      #
      # @return [void]
      def after_teardown
        super if defined?(super)
      ensure
        TaskerCore::Testing.cleanup
      end
    end
  end
end
