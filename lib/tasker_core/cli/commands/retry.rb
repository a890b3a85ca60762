# frozen_string_literal: true

require_relative "../operation"

module TaskerCore
  module CLI
    # `tasker retry`.
    #
    # @api private
    class Retry < Operation
      summary "Tries the failed steps of tasks afresh"
      description HELP
      done "retried"
      example "tasker retry 0197c8a1-6f2e-7c3d-9b1e-0123456789ab"
      example "tasker retry --status error --name fulfil_order --reason \"the gateway is back\" --yes"
      example "tasker retry 0197c8a1-6f2e --from charge"

      def declare(parser)
        parser.on("--step NAME", "only this step") { |name| options[:step] = name }
        parser.on("--from NAME", "this step of an ended task once more, and all that come after it") do |name|
          options[:from] = name
        end
        super
      end

      def call(*ids)
        wrong("--step and --from go with ids") if ids.empty? && (options[:step] || options[:from])
        wrong("takes --step or --from, not both") if options[:step] && options[:from]
        super
      end

      private

      def operate(task)
        return task.restart_from(options[:from], **note) if options[:from]
        return super unless options[:step]

        task.step(options[:step]).retry(**note)
        task.reload
      end
    end
  end
end
