# frozen_string_literal: true

module TaskerCore
  # What people do with a task by hand. Each operation is one transaction, writes who did it and why into the
  # history ({Transition#by}, {Transition#reason}), gives a new snapshot, and changes nothing when the task is
  # already as it would be afterwards: an operation may be repeated.
  #
  # | operation | a task that is | becomes |
  # |---|---|---|
  # | {#cancel} | pending, in_progress, paused, error | cancelled |
  # | {#pause} | pending, in_progress | paused |
  # | {#resume} | paused | what it would be now |
  # | {#retry} | error, in_progress with failed steps | in_progress |
  # | {#restart_from} | complete, error, cancelled, resolved_manually | in_progress |
  # | {#resolve} | all but complete | resolved_manually |
  # | {#update} | pending, in_progress, paused, error | the same, with another priority or queue |
  #
  # All of them raise {StateTransitionError} in another state, {NotFoundError} when the task is gone, and
  # {DatabaseError} when the database fails, or when others settle the task's steps so busily that it could not be
  # taken in hand for ten seconds ({DatabaseError#retryable?}).
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
  #   task = handle.create_task("hello")
  #   task.pause(by: "ann", reason: "not on a Sunday").status # => "paused"
  #   handle.work(until: :idle).ran                           # => 0
  #   task.resume
  #   handle.work(until: :idle).ran                           # => 1
  module TaskOperations
    # Gives the task up: none of its steps starts any more, and what running handlers return is not recorded. They
    # see {StepContext#cancelled?} within a second. Steps that are done keep their results.
    #
    # @param reason [String, nil] why, for the history; at most 1024 characters
    # @param by [String, nil] who; at most 1024 characters
    # @return [Task]
    # @raise [StateTransitionError] when it is complete or resolved_manually
    def cancel(reason: nil, by: nil) = operate("cancel", reason, by)

    # Holds the task back: steps under way end and are recorded, no other starts. What waits for a retry goes on
    # waiting, and is tried when it is due and the task is resumed.
    #
    # @param reason [String, nil] why
    # @param by [String, nil] who
    # @return [Task]
    # @raise [StateTransitionError] when it has ended
    def pause(reason: nil, by: nil) = operate("pause", reason, by)

    # Lets the task go on after a pause.
    #
    # @param reason [String, nil] why
    # @param by [String, nil] who
    # @return [Task]
    # @raise [StateTransitionError] when it has ended
    def resume(reason: nil, by: nil) = operate("resume", reason, by)

    # Tries all steps that are in error afresh, with all their attempts.
    #
    # @param reason [String, nil] why
    # @param by [String, nil] who
    # @return [Task]
    # @raise [StateTransitionError] when it is neither in error nor in progress
    def retry(reason: nil, by: nil) = operate("retry", reason, by)

    # Runs a step and all that come after it once more, and whatever is in error or was cancelled; the others keep
    # their results. The old results stay in the history, and {StepContext#idempotency_key} is another one in the
    # new run. Does nothing when the task is under way and that step is still to be done.
    #
    # A decision among them decides anew; what one before them left out stays skipped. A list (`each:`) among them is
    # made anew: the steps of its items are deleted, and others made. One item can be run again alone.
    #
    # @param step [String, Symbol] the step's name, or an item's (`parcel[3]`)
    # @param reason [String, nil] why
    # @param by [String, nil] who
    # @return [Task]
    # @raise [NotFoundError] when the task has no such step
    # @raise [StateTransitionError] when it has not ended
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "pair", steps: [{ name: "a" }, { name: "b", depends_on: "a" }] },
    #                   handlers: { a: ->(_ctx) { rand }, b: ->(ctx) { ctx.result(:a) } })
    #   task = handle.create_task("pair")
    #   handle.work(until: :idle)
    #   first = task.step(:a).result
    #   task.restart_from(:b)
    #   handle.work(until: :idle)
    #   task.step(:a).result == first # => true
    def restart_from(step, reason: nil, by: nil)
      ask(:native_restart_from, step.to_s, { reason: reason, by: by })
    end

    # Declares the task done: what of it has not run never will.
    #
    # @param reason [String, nil] why
    # @param by [String, nil] who
    # @return [Task]
    # @raise [StateTransitionError] when it is complete
    def resolve(reason: nil, by: nil) = operate("resolve", reason, by)

    # Gives the task another priority or queue. Steps that wait move at once, steps under way when they come back;
    # a step with a priority or queue of its own keeps that.
    #
    # @param reason [String, nil] why
    # @param by [String, nil] who
    # @param changes [Hash] what is left out stays as it is
    # @option changes [Integer, nil] :priority -32767 to 32767, higher goes first; nil for the template's
    # @option changes [String, Symbol, nil] :queue nil for the template's
    # @return [Task]
    # @raise [ValidationError] when a value is wrong
    # @raise [StateTransitionError] when it has ended other than in error
    def update(reason: nil, by: nil, **changes)
      asked = { reason: reason, by: by, **changes.compact }
      asked[:queue] = asked[:queue].to_s if asked[:queue].is_a?(Symbol)
      changes.each { |name, value| asked[:"inherit_#{name}"] = true if value.nil? }
      ask(:native_update, asked)
    end

    private

    def operate(operation, reason, by)
      ask(:native_operate, operation, { reason: reason, by: by })
    end
  end
end
