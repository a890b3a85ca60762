# frozen_string_literal: true

module TaskerCore
  # Operations on all tasks that match a filter ({OrchestrationHandle#tasks} has the conditions; at least one is
  # needed). Each task is a transaction of its own, and several are under way at once; tasks whose state does not fit
  # are passed over. With `dry_run:` nothing changes, and the outcome says what would.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   outcome = handle.retry_tasks(status: "error", namespace: "orders", dry_run: true)
  #   outcome.count   # => 0
  #   handle.retry_tasks(status: "error", namespace: "orders", by: "ann", reason: "the gateway is back")
  module BulkOperations
    # What an operation on many tasks did, or would do.
    #
    # @!attribute [r] task_ids
    #   @return [Array<String>] the tasks that it changed, newest first
    # @!attribute [r] refused
    #   @return [Hash{String => String}] by id, tasks that moved on meanwhile, so that it was not allowed any more, with
    #     the reason
    # @!attribute [r] dry_run
    #   @return [Boolean] whether nothing was changed
    Outcome = Struct.new(:task_ids, :refused, :dry_run, keyword_init: true) do
      # @return [Integer] how many tasks it changed, or would change
      def count = task_ids.size

      # @return [Boolean] whether nothing was changed
      def dry_run? = dry_run

      # @return [String] one short line
      def inspect
        "#<#{self.class.name} #{count} #{dry_run ? "would change" : "changed"}, #{refused.size} refused>"
      end
      alias_method :to_s, :inspect
    end

    # @!method cancel_tasks(dry_run: false, reason: nil, by: nil, **filter)
    #   Cancels all tasks that match; see {TaskOperations#cancel}.
    #   @param dry_run [Boolean] whether only to say which
    #   @param reason [String, nil] why, for the history
    #   @param by [String, nil] who
    #   @param filter [Hash] as for {OrchestrationHandle#tasks}, without `limit` and `before`
    #   @return [Outcome]
    #   @raise [ValidationError] when the filter is wrong or empty
    #   @raise [DatabaseError] when the database fails; what was done until then is done
    # @!method pause_tasks(dry_run: false, reason: nil, by: nil, **filter)
    #   Pauses all tasks that match; see {TaskOperations#pause} and {#cancel_tasks}.
    #   @param (see TaskerCore::BulkOperations#cancel_tasks)
    #   @return [Outcome]
    # @!method resume_tasks(dry_run: false, reason: nil, by: nil, **filter)
    #   Resumes all tasks that match; see {TaskOperations#resume} and {#cancel_tasks}.
    #   @param (see TaskerCore::BulkOperations#cancel_tasks)
    #   @return [Outcome]
    # @!method retry_tasks(dry_run: false, reason: nil, by: nil, **filter)
    #   Retries the failed steps of all tasks that match; see {TaskOperations#retry} and {#cancel_tasks}.
    #   @param (see TaskerCore::BulkOperations#cancel_tasks)
    #   @return [Outcome]
    # @!method resolve_tasks(dry_run: false, reason: nil, by: nil, **filter)
    #   Declares all tasks that match done; see {TaskOperations#resolve} and {#cancel_tasks}.
    #   @param (see TaskerCore::BulkOperations#cancel_tasks)
    #   @return [Outcome]
    %w[cancel pause resume retry resolve].each do |operation|
      define_method(:"#{operation}_tasks") do |dry_run: false, reason: nil, by: nil, **filter|
        operate_on_many(operation, filter, { dry_run: dry_run, reason: reason, by: by })
      end
    end

    private

    def operate_on_many(operation, filter, options)
      task_ids, refused = Waiting.await(native.operate_on_many(operation, plain_times(filter), options))
      Outcome.new(task_ids: task_ids, refused: refused, dry_run: options[:dry_run]).freeze
    end
  end
end
