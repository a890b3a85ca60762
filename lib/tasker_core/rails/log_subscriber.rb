# frozen_string_literal: true

require "active_support"
require "active_support/log_subscriber"
require "json"
require "time"

module TaskerCore
  module RailsApp
    # A line in the log for each attempt at a step; with `log_format = :json` one of JSON.
    #
    # @api private
    class LogSubscriber < ActiveSupport::LogSubscriber
      # @param event [ActiveSupport::Notifications::Event] `perform_step.tasker`
      def perform_step(event)
        json? ? write_json(event) : write_text(event)
        ::Rails.event.notify("tasker.step", **fields(event)) if ::Rails.respond_to?(:event) && ::Rails.event
      end

      def logger = TaskerCore.configuration.logger

      private

      def json? = TaskerCore.configuration.log_format == :json

      def write_text(event)
        payload = event.payload
        error = payload[:exception_object]
        outcome = error ? "failed" : "done"
        reason = ": #{payload[:exception].join(": ")}" if error
        line = "#{payload[:namespace]}/#{payload[:task_name]} #{payload[:step_name]} #{outcome} in " \
               "#{event.duration.round(1)} ms, attempt #{payload[:attempt]} of #{payload[:retry_limit]}#{reason}"
        error ? logger.warn(line) : logger.info(line)
      end

      # Without what the logger's formatter would put around it.
      def write_json(event)
        severity = event.payload[:exception] ? "WARN" : "INFO"
        return unless logger.public_send(:"#{severity.downcase}?")

        line = JSON.generate({ time: Time.now.utc.iso8601(3), severity: severity, event: "step", **fields(event) })
        logger.respond_to?(:<<) ? logger << "#{line}\n" : logger.public_send(severity.downcase, line)
      end

      def fields(event)
        payload = event.payload
        error = payload[:exception]
        { task_id: payload[:task_id], step: payload[:step_name], namespace: payload[:namespace],
          task: payload[:task_name], version: payload[:version], attempt: payload[:attempt],
          retry_limit: payload[:retry_limit], outcome: error ? "failed" : "done", duration_ms: event.duration.round(1),
          **(error ? { error_class: error[0], error_message: error[1].scrub } : {}) }
      end
    end
  end
end
