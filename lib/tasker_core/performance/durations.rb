# frozen_string_literal: true

module TaskerCore
  class Performance
    # Many durations, summed up; frozen. All in seconds, all nil where there are none. A percentile is by nearest rank:
    # a duration that was measured, the smallest which that part of all does not exceed.
    #
    # @!attribute [r] count
    #   @return [Integer]
    # @!attribute [r] mean
    #   @return [Float, nil] to the microsecond below
    # @!attribute [r] p50
    #   @return [Float, nil]
    # @!attribute [r] p95
    #   @return [Float, nil]
    # @!attribute [r] p99
    #   @return [Float, nil]
    # @!attribute [r] max
    #   @return [Float, nil]
    class Durations < Report
      # The names of the fields.
      FIELDS = %i[count mean p50 p95 p99 max].freeze
      reads FIELDS

      private

      def summary = FIELDS.map { |field| "#{field}: #{public_send(field).inspect}" }.join(", ")
    end
  end
end
