# frozen_string_literal: true

module Support
  # Faults on purpose, inside the engine: see src/fault_points.rs.
  module Faults
    ACTIONS = %w[panic error delay].freeze

    # @param backend [String, nil] nil: those of both
    def self.points(backend = nil) = TaskerCore::Native.fault_points(backend)

    # Has it happen the next `times` that the point is reached. `delay` takes so many `seconds`, or until they are
    # disarmed.
    def arm(point, action, times: 1, seconds: 0.0)
      TaskerCore::Native.arm_fault(point.to_s, action.to_s, times, seconds)
    end

    # Whether everything that was armed has happened.
    def faults_over? = TaskerCore::Native.faults_left.zero?

    def disarm_faults = TaskerCore::Native.disarm_faults
  end
end
