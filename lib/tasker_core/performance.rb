# frozen_string_literal: true

require_relative "performance/report"
require_relative "performance/task_execution_context"
require_relative "performance/viable_steps"
require_relative "performance/dependencies"
require_relative "performance/system_health"
require_relative "performance/durations"
require_relative "performance/analytics"
require_relative "performance/slow"

module TaskerCore
  # What a handle's database says of tasks and of itself: {OrchestrationHandle#performance} gives one. Each answer is a
  # frozen snapshot of one moment, read by one query or a few. The class's own methods of the same names ask the
  # process's default handle.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.register({ name: "flow", steps: [{ name: "a" }, { name: "b", depends_on: "a" }] },
  #                   handlers: { a: ->(_ctx) {}, b: ->(_ctx) {} })
  #   task = handle.create_task("flow")
  #   handle.performance.viable_steps(task.id).reasons # => {"b" => "waiting_for_parents"}
  class Performance
    class << self
      # See {Performance#task_execution_context}; on the default handle.
      #
      # @param (see Performance#task_execution_context)
      # @return (see Performance#task_execution_context)
      def task_execution_context(task_id) = TaskerCore.handle.performance.task_execution_context(task_id)

      # See {Performance#viable_steps}; on the default handle.
      #
      # @param (see Performance#viable_steps)
      # @return (see Performance#viable_steps)
      def viable_steps(task_id) = TaskerCore.handle.performance.viable_steps(task_id)

      # See {Performance#dependencies}; on the default handle.
      #
      # @param (see Performance#dependencies)
      # @return (see Performance#dependencies)
      def dependencies(task_id) = TaskerCore.handle.performance.dependencies(task_id)

      # See {Performance#system_health}; on the default handle.
      #
      # @return (see Performance#system_health)
      def system_health = TaskerCore.handle.performance.system_health

      # See {Performance#analytics}; on the default handle.
      #
      # @param (see Performance#analytics)
      # @return (see Performance#analytics)
      def analytics(**window) = TaskerCore.handle.performance.analytics(**window)

      # See {Performance#slowest_steps}; on the default handle.
      #
      # @param (see Performance#slowest_steps)
      # @return (see Performance#slowest_steps)
      def slowest_steps(**window) = TaskerCore.handle.performance.slowest_steps(**window)

      # See {Performance#slowest_tasks}; on the default handle.
      #
      # @param (see Performance#slowest_tasks)
      # @return (see Performance#slowest_tasks)
      def slowest_tasks(**window) = TaskerCore.handle.performance.slowest_tasks(**window)
    end

    # @api private
    def initialize(native)
      @native = native
    end

    # Where a task stands: how many steps are in each state, what it is doing, what to do about it, what holds it up.
    #
    # @param task_id [String]
    # @return [TaskExecutionContext]
    # @raise [NotFoundError] when there is no such task
    # @raise [ValidationError] when it is no task's id
    # @raise [DatabaseError] when the database fails
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
    #   task = handle.create_task("hello")
    #   handle.work(until: :idle)
    #   handle.performance.task_execution_context(task.id) => { execution_status: "all_complete", health_status: }
    #   health_status # => "healthy"
    def task_execution_context(task_id)
      TaskExecutionContext.of(ask(:task_execution_context, task_id))
    end

    # Which steps of a task may run now, and why each of the others may not.
    #
    # @param task_id [String]
    # @return [ViableSteps]
    # @raise [NotFoundError, ValidationError, DatabaseError] see {#task_execution_context}
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "flow", steps: [{ name: "a" }, { name: "b", depends_on: "a" }] },
    #                   handlers: { a: ->(_ctx) {}, b: ->(_ctx) {} })
    #   viable = handle.performance.viable_steps(handle.create_task("flow").id)
    #   viable.viable               # => ["a"]
    #   viable.step(:b).waits_for   # => ["a"]
    def viable_steps(task_id)
      ViableSteps.of(ask(:viable_steps, task_id))
    end

    # The graph of a task: levels, roots and leaves, how deep and wide it is, and the path that ran the longest. Linear
    # in steps and edges.
    #
    # @param task_id [String]
    # @return [Dependencies]
    # @raise [NotFoundError, ValidationError, DatabaseError] see {#task_execution_context}
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "flow", steps: [{ name: "a" }, { name: "b", depends_on: "a" }] },
    #                   handlers: { a: ->(_ctx) {}, b: ->(_ctx) {} })
    #   graph = handle.performance.dependencies(handle.create_task("flow").id)
    #   graph.levels # => {"a" => 0, "b" => 1}
    #   graph.edges  # => [["a", "b"]]
    def dependencies(task_id)
      Dependencies.of(ask(:dependencies, task_id))
    end

    # How the whole database is: tasks by state, what waits and for how long, what is held, who works, and a score.
    #
    # @return [SystemHealth]
    # @raise [DatabaseError] when the database fails
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
    #   handle.create_task("hello")
    #   handle.performance.system_health => { tasks: { pending:, error: }, ready_steps: }
    #   [pending, error, ready_steps] # => [1, 0, 1]
    def system_health
      SystemHealth.of(Waiting.await(@native.system_health))
    end

    # How the tasks that ended lately ended, and how long they and their steps took: rates, throughput, mean and exact
    # percentiles, of all and of each template version. What it costs grows with the tasks that ended in the window, not
    # with those that are stored.
    #
    # @param since [Time, String, nil] tasks that ended at that moment or later. Default: an hour ago, by the database's
    #   clock
    # @param namespace [String, nil] only of this namespace
    # @param name [String, nil] only of templates of this name
    # @return [Analytics]
    # @raise [ValidationError] when an argument is wrong
    # @raise [DatabaseError] when the database fails
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
    #   handle.create_tasks("hello", contexts: [{}, {}])
    #   handle.work(until: :idle)
    #   analytics = handle.performance.analytics(since: Time.now - 60)
    #   [analytics.ended, analytics.completion_rate, analytics.error_rate] # => [2, 1.0, 0.0]
    #   analytics.templates.first.steps.first.running.count # => 2
    def analytics(since: nil, namespace: nil, name: nil)
      window = { since: PlainTime.of(since), namespace: namespace, name: name }
      Analytics.of(Waiting.await(@native.analytics(window)))
    end

    # The steps that ran the longest, of the tasks that ended lately.
    #
    # @param since [Time, String, nil] see {#analytics}
    # @param namespace [String, nil] see {#analytics}
    # @param name [String, nil] see {#analytics}
    # @param limit [Integer] how many at the most, 1 to 1000
    # @return [Array<SlowStep>] the slowest first
    # @raise [ValidationError, DatabaseError] see {#analytics}
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.performance.slowest_steps(since: Time.now - 60, limit: 3) # => []
    def slowest_steps(since: nil, namespace: nil, name: nil, limit: 10)
      window = { since: PlainTime.of(since), namespace: namespace, name: name, limit: limit }
      Waiting.await(@native.slowest_steps(window)).map { |step| SlowStep.of(step) }.freeze
    end

    # The tasks that ran the longest, of those that ended lately.
    #
    # @param since [Time, String, nil] see {#analytics}
    # @param namespace [String, nil] see {#analytics}
    # @param name [String, nil] see {#analytics}
    # @param limit [Integer] how many at the most, 1 to 1000
    # @return [Array<SlowTask>] the slowest first
    # @raise [ValidationError, DatabaseError] see {#analytics}
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.performance.slowest_tasks(limit: 3) # => []
    def slowest_tasks(since: nil, namespace: nil, name: nil, limit: 10)
      window = { since: PlainTime.of(since), namespace: namespace, name: name, limit: limit }
      Waiting.await(@native.slowest_tasks(window)).map { |task| SlowTask.of(task) }.freeze
    end

    # @return [String] one short line
    def inspect
      "#<TaskerCore::Performance of the handle #{@native.id}>"
    end
    alias to_s inspect

    private

    def ask(question, task_id)
      Waiting.await(@native.public_send(question, Task.checked_id(task_id)))
    end
  end
end
