# frozen_string_literal: true

module TaskerCore
  class Performance
    # What of a task may run now, and why the rest may not; frozen. See {Performance#viable_steps}.
    #
    # @!attribute [r] task_id
    #   @return [String]
    # @!attribute [r] status
    #   @return [String] the task's, see {Task#status}
    # @!attribute [r] viable
    #   @return [Array<String>] the names of the steps that may run now
    # @!attribute [r] steps
    #   @return [Array<StepReadiness>] all of them, in the order of the template
    class ViableSteps < Report
      # The names of the fields.
      FIELDS = %i[task_id status viable steps].freeze
      reads FIELDS

      # @api private
      def self.of(values)
        new({ **values, steps: values[:steps].map { |step| StepReadiness.of(step) }.freeze })
      end

      # @param name [String, Symbol]
      # @return [StepReadiness]
      # @raise [NotFoundError] when the task has no such step; the message names the nearest
      def step(name)
        steps.find { |step| step.name == name.to_s } or
          raise NotFoundError.new("the task #{task_id} has no step #{name.to_s.inspect}" \
                                  "#{Nearest.hint(name, steps.map(&:name))}", kind: "step", name: name.to_s)
      end

      # @return [Hash{String => String}] for each step that may not run now the reason, see {StepReadiness#reason}
      def reasons
        steps.reject(&:viable?).to_h { |step| [step.name, step.reason] }
      end

      private

      def summary = "#{task_id} #{status}, #{viable.size} of #{steps.size} viable"
    end

    # Whether a step may run now, or why not; frozen.
    #
    # | `reason` | when |
    # |---|---|
    # | `ready` | it may: a worker takes it as soon as one is free |
    # | `in_progress` | a worker has it |
    # | `done` | it is complete, skipped or resolved by hand |
    # | `failed` | it failed for good |
    # | `cancelled` | it was cancelled |
    # | `waiting_for_parents` | steps that it needs are not done yet: `waits_for` |
    # | `blocked_by_failure` | one of them, or a step before that, failed or was cancelled: somebody has to act |
    # | `paused` | it could run, but its task is paused |
    # | `waiting_for_retry` | its last attempt failed, and the next is due at `not_before` |
    # | `waiting_for_start` | its task is not to run before `not_before` |
    # | `waiting_for_limit` | as many attempts run as its `limit` allows |
    # | `queue_paused` | its queue is paused, see {OrchestrationHandle#pause_queue} |
    # | `task_ended` | its task ended without it |
    #
    # @!attribute [r] name
    #   @return [String]
    # @!attribute [r] status
    #   @return [String] see {Step#status}
    # @!attribute [r] viable
    #   @return [Boolean] whether it may run now
    # @!attribute [r] reason
    #   @return [String] see above
    # @!attribute [r] waits_for
    #   @return [Array<String>] the steps it needs that are not done, where that is the reason
    # @!attribute [r] not_before
    #   @return [Time, nil] when it may run at the earliest, where that is the reason
    # @!attribute [r] attempts
    #   @return [Integer] how many were begun
    # @!attribute [r] retry_limit
    #   @return [Integer] how many there may be
    class StepReadiness < Report
      # The names of the fields.
      FIELDS = %i[name status viable reason waits_for not_before attempts retry_limit].freeze
      reads FIELDS
      alias viable? viable

      private

      def summary
        because = waits_for.empty? ? not_before&.strftime("%FT%T.%6NZ") : waits_for.join(", ")
        [name, reason, because].compact.join(" ")
      end
    end
  end
end
