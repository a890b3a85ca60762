# frozen_string_literal: true

module TaskerCore
  # Something that happened, as a subscriber sees it; frozen. See {OrchestrationHandle#subscribe}.
  #
  # There are:
  # - `task.created`, and a task's new status: `task.pending`, `task.in_progress`, `task.paused`, `task.complete`,
  #   `task.error`, `task.cancelled`, `task.resolved_manually`; `task.updated` when its priority or queue was changed
  # - `step.created`, with its task, and a step's new status: `step.pending` when it was given back,
  #   `step.in_progress`, `step.waiting_for_retry`, `step.complete`, `step.error`, `step.skipped`, `step.cancelled`,
  #   `step.resolved_manually`
  # - `handler.registered`: a template was registered with its steps' handlers
  # - `lease.expired`: a process was found dead; `session_id` is that process's session
  # - `lease.recovered`: steps of a dead process were returned, as many as `metadata["steps"]` says
  # - `worker.started`, `worker.stopped`: a worker of this process began to claim, or has ended
  #
  # @!attribute [r] name
  #   @return [String] what happened, such as `"step.complete"`
  # @!attribute [r] sequence
  #   @return [Integer] its number among all events that were meant for this subscription, from 1 on. A number that
  #     is left out is an event that was dropped; see {Subscription#dropped}
  # @!attribute [r] task_id
  #   @return [String, nil] of a task or a step
  # @!attribute [r] namespace
  #   @return [String, nil] of the template
  # @!attribute [r] task_name
  #   @return [String, nil] the template's name
  # @!attribute [r] version
  #   @return [String, nil] the template's version
  # @!attribute [r] step_name
  #   @return [String, nil] of a step
  # @!attribute [r] from
  #   @return [String, nil] the status before; nil at creation
  # @!attribute [r] to
  #   @return [String, nil] the status after
  # @!attribute [r] at
  #   @return [Time] when, in UTC: by the database's clock for tasks and steps, by this process's for the rest
  # @!attribute [r] attempt
  #   @return [Integer, nil] the attempt of a step; 0 before the first
  # @!attribute [r] session_id
  #   @return [String, nil] the session of the worker process that did it, or that it happened to
  # @!attribute [r] metadata
  #   @return [Hash{String => Object}, nil] error, reason and the like
  #
  # @!method self.names
  #   @return [Array<String>] the names of all events there are
  class Event
    include Snapshot

    # The names of the fields.
    FIELDS = %i[name sequence task_id namespace task_name version step_name from to at attempt session_id
                metadata].freeze

    # What `Marshal.load` gives for a dumped one: its fields; frozen.
    #
    # @api private
    Loaded = Struct.new(*FIELDS, keyword_init: true) { include Snapshot::Shown }

    # @!visibility private
    def self._load(text)
      Loaded.new(**Marshal.load(text)).freeze # rubocop:disable Security/MarshalLoad -- within a Marshal.load
    end

    # @return [String] one short line
    def inspect
      "#<TaskerCore::Event #{[sequence, name, task_id, step_name].compact.join(" ")}>"
    end
    alias to_s inspect
  end
end
