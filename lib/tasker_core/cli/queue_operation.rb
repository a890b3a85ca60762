# frozen_string_literal: true

require_relative "operation"

module TaskerCore
  module CLI
    # `pause` and `resume` also know queues.
    #
    # @api private
    class QueueOperation < Operation
      def declare(parser)
        parser.on("--queue NAME", "a queue instead of tasks; with --namespace only for its templates") do |name|
          options[:queue] = name
        end
        super
      end

      def call(*ids)
        return super unless (queue = options[:queue])

        wrong("takes a queue, or ids or conditions, not both") unless ids.empty? && (filter.keys - [:namespace]).empty?
        on_queue(queue, filter[:namespace])
      end

      private

      def tell_queue(queue, namespace, words, record)
        return terminal.json(record) if options[:json]

        terminal.say("the queue #{queue}#{" of #{namespace}" if namespace} #{words}")
      end
    end
  end
end
