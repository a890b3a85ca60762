# frozen_string_literal: true

module TaskerCore
  # A snapshot of a step of a task; frozen.
  #
  # @!attribute [r] id
  #   @return [String] `task id/step name`
  # @!attribute [r] task_id
  #   @return [String]
  # @!attribute [r] name
  #   @return [String]
  # @!attribute [r] status
  #   @return [String] `pending`, `in_progress`, `waiting_for_retry`, `complete`, `error`, `skipped`, `cancelled` or
  #     `resolved_manually`
  # @!attribute [r] result
  #   @return [Object, nil] what its handler returned, deeply frozen; nil before completion, too
  # @!attribute [r] attempts
  #   @return [Integer] how many were begun
  # @!attribute [r] error
  #   @return [Hash{String => Object}, nil] its last failure: `class`, `message`, `backtrace` and more
  # @!attribute [r] depends_on
  #   @return [Array<String>] the names of the steps it needs
  # @!attribute [r] queue
  #   @return [String]
  # @!attribute [r] priority
  #   @return [Integer] higher goes first
  # @!attribute [r] config
  #   @return [Hash{String => Object}] what the template says to its handler, deeply frozen
  # @!attribute [r] checkpoint
  #   @return [Object, nil] what its handler saved last ({StepContext#checkpoint=}), deeply frozen
  # @!attribute [r] route
  #   @return [Array<String>, nil] of a step with branches, those that it chose ({StepContext#route}); nil before it did
  # @!attribute [r] item
  #   @return [Object, nil] of a step that was made for an item of a list (`each:`), the item, deeply frozen
  # @!attribute [r] started_at
  #   @return [Time, nil] when its last attempt began, in UTC
  # @!attribute [r] finished_at
  #   @return [Time, nil]
  # @!attribute [r] next_retry_at
  #   @return [Time, nil] when it will be tried again
  class Step
    include Snapshot
    include Asking
    include StepOperations

    # A question for each status.
    module Status
      # @return [Boolean]
      def pending? = status == "pending"

      # @return [Boolean]
      def in_progress? = status == "in_progress"

      # @return [Boolean]
      def waiting_for_retry? = status == "waiting_for_retry"

      # @return [Boolean]
      def complete? = status == "complete"

      # @return [Boolean]
      def error? = status == "error"

      # @return [Boolean]
      def skipped? = status == "skipped"

      # @return [Boolean]
      def cancelled? = status == "cancelled"

      # @return [Boolean]
      def resolved_manually? = status == "resolved_manually"
    end
    include Status

    # The names of the fields.
    FIELDS = %i[id task_id name status result attempts error depends_on queue priority started_at finished_at
                next_retry_at config checkpoint route item].freeze

    # What `Marshal.load` gives for a dumped one: its fields, and no handle; frozen.
    #
    # @api private
    Loaded = Struct.new(*FIELDS, keyword_init: true) do
      include Status
      include Snapshot::Shown
    end

    # @!visibility private
    def self._load(text)
      Loaded.new(**Marshal.load(text)).freeze # rubocop:disable Security/MarshalLoad -- within a Marshal.load
    end

    # @api private
    # @return [String, nil] of a step that was made for an item of a list, the name of the step with the list
    def item_of = native_item_of

    # @return [String] one short line
    def inspect
      "#<TaskerCore::Step #{id} #{status}, attempts: #{attempts}>"
    end
    alias to_s inspect
  end
end
