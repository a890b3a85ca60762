# frozen_string_literal: true

module TaskerCore
  class Performance
    # A task that ran long; frozen. See {Performance#slowest_tasks}, and {Analytics} for what running and waiting are.
    #
    # @!attribute [r] task_id
    #   @return [String]
    # @!attribute [r] namespace
    #   @return [String] its template's
    # @!attribute [r] name
    #   @return [String] its template's
    # @!attribute [r] version
    #   @return [String] its template's
    # @!attribute [r] status
    #   @return [String] how it ended, see {Task#status}
    # @!attribute [r] running_seconds
    #   @return [Float]
    # @!attribute [r] waiting_seconds
    #   @return [Float]
    # @!attribute [r] created_at
    #   @return [Time]
    # @!attribute [r] started_at
    #   @return [Time] when its first step was claimed
    # @!attribute [r] finished_at
    #   @return [Time]
    class SlowTask < Report
      # The names of the fields.
      FIELDS = %i[task_id namespace name version status running_seconds waiting_seconds created_at started_at
                  finished_at].freeze
      reads FIELDS

      private

      def summary = "#{task_id} #{namespace}/#{name} #{running_seconds} s"
    end

    # A step that ran long; frozen. See {Performance#slowest_steps}, and {Analytics} for what running and waiting are.
    #
    # @!attribute [r] task_id
    #   @return [String]
    # @!attribute [r] step_name
    #   @return [String]
    # @!attribute [r] namespace
    #   @return [String] its template's
    # @!attribute [r] name
    #   @return [String] its template's
    # @!attribute [r] version
    #   @return [String] its template's
    # @!attribute [r] status
    #   @return [String] how it ended, see {Step#status}
    # @!attribute [r] attempts
    #   @return [Integer]
    # @!attribute [r] running_seconds
    #   @return [Float]
    # @!attribute [r] waiting_seconds
    #   @return [Float]
    # @!attribute [r] started_at
    #   @return [Time] when its last attempt began
    # @!attribute [r] finished_at
    #   @return [Time]
    class SlowStep < Report
      # The names of the fields.
      FIELDS = %i[task_id step_name namespace name version status attempts running_seconds waiting_seconds started_at
                  finished_at].freeze
      reads FIELDS

      private

      def summary = "#{task_id}/#{step_name} #{running_seconds} s"
    end
  end
end
