# frozen_string_literal: true

module TaskerCore
  module RailsApp
    # One attempt at a step in a Rails app: within its executor, and where classes are reloaded within its reloader,
    # with what its task brought along. What the handler raises is told to `Rails.error`, where there is that;
    # ActiveRecord's connections go back to their pools.
    #
    # @api private
    class Execution
      def initialize(luggage)
        @luggage = luggage
      end

      # @param ctx [StepContext]
      # @param attempt [#call]
      def call(ctx, attempt)
        failure = nil
        # What is raised through the executor newer Rails report by themselves, and know less of it.
        within_app do
          run(ctx, attempt)
        rescue StandardError, ScriptError => e
          report(failure = e, ctx)
        end
        raise failure if failure
      end

      private

      def within_app(&) = @luggage.keep { ::Rails.application.reloader.wrap(&) }

      def run(ctx, attempt)
        transactions = Transactions.new
        begin
          @luggage.unpack(ctx.headers) { tagged(ctx) { attempt.call } }
        rescue Exception # rubocop:disable Lint/RescueException -- what comes of the attempt is nothing to this
          tell(ctx, transactions.undo)
          raise
        else
          open = transactions.undo
        end
        raise Error, left_open(open) unless open.empty?
      end

      def tagged(ctx, &)
        logger = TaskerCore.configuration.logger
        return yield if !logger.respond_to?(:tagged) || TaskerCore.configuration.log_format == :json

        logger.tagged("tasker", ctx.step_id, &)
      end

      def tell(ctx, databases)
        TaskerCore.configuration.logger.error { "#{ctx.step_id}: #{left_open(databases)}" } unless databases.empty?
      end

      def left_open(databases)
        "the handler left a transaction open (#{databases.join(", ")}); it was rolled back. `transaction do … end` " \
          "ends it in any case"
      end

      def report(error, ctx)
        return unless ::Rails.respond_to?(:error) && ::Rails.error

        final = Attempt.permanent?(error) || ctx.last_attempt?
        told = { handled: !final, severity: final ? :error : :warning, context: about(ctx) }
        told[:source] = "tasker_core" if ::Rails.error.method(:report).parameters.include?(%i[key source])
        ::Rails.error.report(error, **told)
      end

      def about(ctx)
        { task_id: ctx.task_id, step: ctx.step_name, namespace: ctx.namespace, task: ctx.task_name,
          version: ctx.version, attempt: ctx.attempt }
      end
    end
  end
end
