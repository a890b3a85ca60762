# frozen_string_literal: true

require_relative "../queue_operation"

module TaskerCore
  module CLI
    # `tasker resume`.
    #
    # @api private
    class Resume < QueueOperation
      summary "Ends the pause of tasks, or of a queue"
      description HELP
      done "resumed"
      example "tasker resume 0197c8a1-6f2e-7c3d-9b1e-0123456789ab"
      example "tasker resume --queue mail"

      private

      def on_queue(queue, namespace)
        resumed = existing_handle.resume_queue(queue, namespace: namespace)
        tell_queue(queue, namespace, resumed ? "is resumed" : "was not paused",
                   { queue: queue, namespace: namespace, resumed: resumed })
      end
    end
  end
end
