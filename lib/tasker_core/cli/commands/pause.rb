# frozen_string_literal: true

require_relative "../queue_operation"

module TaskerCore
  module CLI
    # `tasker pause`.
    #
    # @api private
    class Pause < QueueOperation
      summary "Holds tasks back, or a queue"
      description HELP
      done "paused"
      example "tasker pause 0197c8a1-6f2e-7c3d-9b1e-0123456789ab"
      example "tasker pause --queue mail --reason \"the mail server is down\""

      private

      def on_queue(queue, namespace)
        pause = existing_handle.pause_queue(queue, namespace: namespace, **note)
        record = { **pause.to_h, paused_at: pause.paused_at.utc.strftime("%FT%T.%6NZ") }
        tell_queue(queue, namespace, "is paused since #{Moments.time(pause.paused_at)}", record)
      end
    end
  end
end
