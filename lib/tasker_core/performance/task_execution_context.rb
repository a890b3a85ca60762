# frozen_string_literal: true

module TaskerCore
  class Performance
    # Where a task stands at one moment; frozen. See {Performance#task_execution_context}.
    #
    # | `execution_status` | when | `recommended_action` |
    # |---|---|---|
    # | `has_ready_steps` | a step may run now | `execute_ready_steps` |
    # | `processing` | a worker has a step of it, and no other may run | `wait_for_completion` |
    # | `waiting_for_retry` | steps wait for the time of their next attempt, and no other may run | `wait_for_retry` |
    # | `blocked_by_failures` | a step failed for good, and nothing else can run | `handle_failures` |
    # | `waiting_for_dependencies` | nothing failed or may run: `run_at` is to come | `wait_for_dependencies` |
    # | `paused` | it was paused | `resume_task` |
    # | `all_complete` | all is done, or it was declared so by hand | `none` |
    # | `cancelled` | it was cancelled | `none` |
    #
    # @!attribute [r] task_id
    #   @return [String]
    # @!attribute [r] status
    #   @return [String] the task's, see {Task#status}
    # @!attribute [r] total_steps
    #   @return [Integer]
    # @!attribute [r] steps
    #   @return [Hash{Symbol => Integer}] how many are in each state: `pending`, `in_progress`, `waiting_for_retry`,
    #     `complete`, `error`, `skipped`, `cancelled`, `resolved_manually`
    # @!attribute [r] ready_steps
    #   @return [Integer] how many may run now; they are among the pending ones, or waited for a retry that is due
    # @!attribute [r] completion_percentage
    #   @return [Float] 0.0 to 100.0: the part of the steps that is complete, skipped or resolved by hand
    # @!attribute [r] execution_status
    #   @return [String] see above
    # @!attribute [r] recommended_action
    #   @return [String] see above
    # @!attribute [r] health_status
    #   @return [String] `healthy`: nothing failed, or it no longer matters; `recovering`: an attempt failed and there
    #     is another one; `degraded`: a step failed for good and others go on; `blocked`: one did and nothing else can
    #     run
    # @!attribute [r] next_retry_at
    #   @return [Time, nil] when the first of the steps that wait for a retry is tried again; nil when none waits
    # @!attribute [r] critical_path
    #   @return [Array<String>] the steps on the path that ran the longest until now, see {Dependencies#critical_path}
    # @!attribute [r] bottlenecks
    #   @return [Array<String>] the steps that are not done, wait for no other, and are waited for: those with the
    #     longest chain of steps behind them first; none once the task is complete, cancelled or resolved by hand
    class TaskExecutionContext < Report
      # The names of the fields.
      FIELDS = %i[task_id status total_steps steps ready_steps completion_percentage execution_status
                  recommended_action health_status next_retry_at critical_path bottlenecks].freeze
      reads FIELDS

      private

      def summary = "#{task_id} #{execution_status}, #{completion_percentage.round(1)} %, #{health_status}"
    end
  end
end
