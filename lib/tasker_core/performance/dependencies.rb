# frozen_string_literal: true

module TaskerCore
  class Performance
    # The graph of a task; frozen. See {Performance#dependencies}.
    #
    # @!attribute [r] task_id
    #   @return [String]
    # @!attribute [r] total_steps
    #   @return [Integer]
    # @!attribute [r] levels
    #   @return [Hash{String => Integer}] the level of each step: 0 for one that needs no other, else one more than the
    #     highest of those it needs
    # @!attribute [r] depth
    #   @return [Integer] how many levels there are, which is the number of steps on the longest path
    # @!attribute [r] parallel_width
    #   @return [Integer] the most steps on one level
    # @!attribute [r] roots
    #   @return [Array<String>] the steps that need no other
    # @!attribute [r] leaves
    #   @return [Array<String>] the steps that no other needs
    # @!attribute [r] edges
    #   @return [Array<Array(String, String)>] each as [a step, one that needs it]
    # @!attribute [r] critical_path
    #   @return [Array<String>] the steps, from a root to a leaf, whose last attempts together ran the longest. A step
    #     that has not ended counts nothing, and one that made a list only what it took after the last of its items; of
    #     paths that ran as long the one with the most steps is given
    # @!attribute [r] critical_path_seconds
    #   @return [Float] how long those ran
    class Dependencies < Report
      # The names of the fields.
      FIELDS = %i[task_id total_steps levels depth parallel_width roots leaves edges critical_path
                  critical_path_seconds].freeze
      reads FIELDS

      # @return [Array<Array<String>>] the steps of each level
      def by_level
        names = Array.new(depth) { [] }
        levels.each { |name, level| names[level] << name }
        names
      end

      private

      def summary = "#{task_id} steps: #{total_steps}, depth: #{depth}, width: #{parallel_width}"
    end
  end
end
