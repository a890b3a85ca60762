# frozen_string_literal: true

module TaskerCore
  # One recorded change of a task's or a step's state; frozen. See {Task#history}.
  #
  # @!attribute [r] task_id
  #   @return [String]
  # @!attribute [r] step_name
  #   @return [String, nil] nil for the task itself
  # @!attribute [r] from
  #   @return [String, nil] the state before; nil at creation
  # @!attribute [r] to
  #   @return [String] the state after
  # @!attribute [r] at
  #   @return [Time] when, in UTC, by the database's clock
  # @!attribute [r] by
  #   @return [String, nil] who asked for it by hand
  # @!attribute [r] reason
  #   @return [String, nil] why
  # @!attribute [r] attempt
  #   @return [Integer, nil] the attempt of the step; 0 before the first, nil for the task itself
  # @!attribute [r] error
  #   @return [Hash{String => Object}, nil] the failure that led to it: `class`, `message`, `backtrace` and more
  # @!attribute [r] session_id
  #   @return [String, nil] the session of the worker process that did it
  # @!attribute [r] metadata
  #   @return [Hash{String => Object}, nil] all that is noted with it: `error`, `operation`, `by`, `reason`; the `run`
  #     and the `result` that a restart ends; the `priority` or `queue` of an update
  class Transition
    include Snapshot

    # The names of the fields.
    FIELDS = %i[task_id step_name from to at by reason attempt error session_id metadata].freeze

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
      "#<TaskerCore::Transition #{step_name || "task"}: #{from || "new"} -> #{to} at #{at.strftime("%FT%T.%6NZ")}>"
    end
    alias to_s inspect
  end
end
