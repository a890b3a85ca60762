# frozen_string_literal: true

require_relative "performance/report"
require_relative "performance/task_execution_context"
require_relative "performance/viable_steps"
require_relative "performance/dependencies"

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
      def task_execution_context(task_id) = TaskerCore.handle.performance.task_execution_context(task_id)

      # See {Performance#viable_steps}; on the default handle.
      def viable_steps(task_id) = TaskerCore.handle.performance.viable_steps(task_id)

      # See {Performance#dependencies}; on the default handle.
      def dependencies(task_id) = TaskerCore.handle.performance.dependencies(task_id)
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
