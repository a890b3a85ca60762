# frozen_string_literal: true

module TaskerCore
  # What {OrchestrationHandle#work} did.
  class WorkSummary
    # @return [Integer] attempts that were run
    attr_reader :ran
    # @return [Integer] those of them that failed
    attr_reader :failed

    # @api private
    def initialize(ran:, failed:, timed_out:)
      @ran = ran
      @failed = failed
      @timed_out = timed_out
      freeze
    end

    # @return [Boolean] whether it ended because its time was over
    def timed_out? = @timed_out

    # @return [Hash{Symbol => Object}]
    def to_h
      { ran: ran, failed: failed, timed_out: timed_out? }
    end

    # @return [Hash{Symbol => Object}] for pattern matching
    def deconstruct_keys(_keys) = to_h

    # @return [Boolean] whether it is of the same class, with the same fields
    def ==(other)
      other.is_a?(WorkSummary) && other.to_h == to_h
    end

    # @return [String] one short line
    def inspect
      "#<TaskerCore::WorkSummary ran: #{ran}, failed: #{failed}#{", timed out" if timed_out?}>"
    end
    alias to_s inspect
  end
end
