# frozen_string_literal: true

module TaskerCore
  # What people do with one step by hand, while its task is pending, in progress, paused or in error. As with a
  # task's operations ({TaskOperations}), each is one transaction, writes who and why into the history, gives a new
  # snapshot, and changes nothing when the step is already as it would be afterwards.
  #
  # | operation | a step that is | becomes |
  # |---|---|---|
  # | {#retry} | waiting_for_retry, error | pending, with all its attempts |
  # | {#resolve} | all but complete and skipped | resolved_manually, with the given result |
  # | {#skip} | pending, waiting_for_retry, error | skipped |
  #
  # A decision that was resolved with a route stands: its branches were skipped by then. Another choice takes
  # {TaskOperations#restart_from}.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.register({ name: "pair", steps: [{ name: "a", retryable: false }, { name: "b", depends_on: "a" }] },
  #                   handlers: { a: ->(_ctx) { raise "no" }, b: ->(ctx) { ctx.result(:a) } })
  #   task = handle.create_task("pair")
  #   handle.work(until: :idle)
  #   task.step(:a).resolve(result: 7, by: "ann", reason: "looked it up").status # => "resolved_manually"
  #   handle.work(until: :idle)
  #   task.reload.status    # => "complete"
  #   task.step(:b).result  # => 7
  module StepOperations
    # Tries the step afresh, at once and with all its attempts.
    #
    # @param reason [String, nil] why, for the history; at most 1024 characters
    # @param by [String, nil] who; at most 1024 characters
    # @return [Step]
    # @raise [StateTransitionError] when its state, or its task's, does not allow it
    # @raise [DatabaseError] when the database fails
    def retry(reason: nil, by: nil)
      ask(:native_retry, { reason: reason, by: by })
    end

    # Gives the step a result, as if its handler had returned it; what a handler that runs returns is not recorded.
    #
    # A decision (`branches:`) that is given no route lets all its branches go on.
    #
    # @param result [Object] a JSON value
    # @param route [String, Symbol, Array, nil] of a decision, the branches that it is to have chosen: the others are
    #   skipped, as with {StepContext#route}
    # @param reason [String, nil] why
    # @param by [String, nil] who
    # @return [Step]
    # @raise [ValidationError] when the step has no such branch, when the result is no JSON value, or breaks the
    #   `output` schema of the step
    # @raise [StateTransitionError] when its state, or its task's, does not allow it
    # @raise [DatabaseError] when the database fails
    def resolve(result: nil, route: nil, reason: nil, by: nil)
      ask(:native_resolve, { result: result, route: route, reason: reason, by: by })
    end

    # Goes on without the step: the steps that need it see a nil result.
    #
    # @param reason [String, nil] why
    # @param by [String, nil] who
    # @return [Step]
    # @raise [StateTransitionError] when its state, or its task's, does not allow it
    # @raise [DatabaseError] when the database fails
    def skip(reason: nil, by: nil)
      ask(:native_skip, { reason: reason, by: by })
    end

    # What happened to the step until now.
    #
    # @return [Array<Transition>] oldest first
    # @raise [DatabaseError] when the database fails
    def history
      ask(:native_history)
    end
  end
end
