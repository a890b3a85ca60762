# frozen_string_literal: true

module TaskerCore
  class Performance
    # How a whole database is at one moment; frozen. See {Performance#system_health}.
    #
    # The score is, from 0.0 to 1.0, where a part of nothing is 0:
    #
    #     1 - 0.4 * error / (complete + error + cancelled + resolved_manually)
    #       - 0.3 * leases_expired / (leases_held + leases_expired)
    #       - 0.2 * min(1, oldest_ready_seconds / 300)
    #       - 0.1 * pool[:in_use] / pool[:max]
    #
    # @!attribute [r] at
    #   @return [Time] when, in UTC, by the database's clock
    # @!attribute [r] total_tasks
    #   @return [Integer]
    # @!attribute [r] tasks
    #   @return [Hash{Symbol => Integer}] how many are in each state: `pending`, `in_progress`, `paused`, `complete`,
    #     `error`, `cancelled`, `resolved_manually`
    # @!attribute [r] ready_steps
    #   @return [Integer] steps that workers may claim
    # @!attribute [r] in_backoff
    #   @return [Integer] steps that wait for a retry
    # @!attribute [r] scheduled_steps
    #   @return [Integer] steps that wait for their task's `run_at`
    # @!attribute [r] leases_held
    #   @return [Integer] steps that live workers' processes have
    # @!attribute [r] leases_expired
    #   @return [Integer] steps that processes have whose lease is over: others are about to take them back
    # @!attribute [r] oldest_ready_seconds
    #   @return [Float, nil] for how long the ready step that has waited the longest is ready; nil when none is
    # @!attribute [r] workers
    #   @return [Integer] processes with workers whose lease holds
    # @!attribute [r] pool
    #   @return [Hash{Symbol => Integer}] this process's connections, just before it asked: `size` (open), `idle`,
    #     `in_use`, `max`
    # @!attribute [r] score
    #   @return [Float] 0.0 to 1.0, see above
    class SystemHealth < Report
      # The names of the fields.
      FIELDS = %i[at total_tasks tasks ready_steps in_backoff scheduled_steps leases_held leases_expired
                  oldest_ready_seconds workers pool score].freeze
      reads FIELDS

      private

      def summary = "score: #{score.round(3)}, tasks: #{total_tasks}, ready steps: #{ready_steps}, workers: #{workers}"
    end
  end
end
