# frozen_string_literal: true

require_relative "moments"

module TaskerCore
  module CLI
    # Why steps don't run, in words: what {Performance#viable_steps} tells of a task.
    #
    # @api private
    class Reasons
      PLAIN = {
        "in_progress" => nil, "done" => nil, "failed" => nil, "cancelled" => nil,
        "paused" => "its task is paused: tasker resume",
        "waiting_for_limit" => "as many run as its limit allows",
        "queue_paused" => "its queue is paused: tasker resume --queue",
        "task_ended" => "its task ended without it"
      }.freeze
      # How many names are said.
      NAMES = 4
      private_constant :PLAIN, :NAMES

      # @param viable [Performance::ViableSteps]
      # @param workers [Boolean] whether any process works
      def initialize(viable, workers:)
        @steps = viable.steps.to_h { |step| [step.name, step] }
        @workers = workers
      end

      # @param name [String] a step's
      # @return [String, nil] why it does not run; nil where there is nothing to say
      def of(name)
        step = @steps[name]
        return if step.nil?

        case step.reason
        when "ready" then @workers ? "ready for a worker" : "ready, but no worker is running: tasker work"
        when "waiting_for_parents" then "waits for #{names(step.waits_for)}"
        when "blocked_by_failure" then "blocked: needs #{failed(step)}"
        when "waiting_for_retry" then "next attempt #{at(step.not_before)}"
        when "waiting_for_start" then "not before #{Moments.time(step.not_before)}"
        else PLAIN[step.reason]
        end
      end

      # @param name [String] a step's
      # @return [Integer, nil] how many attempts it may have
      def retry_limit(name) = @steps[name]&.retry_limit

      private

      # Of the steps it needs those that will not end well, each with what became of it.
      def failed(step)
        all = step.waits_for.filter_map { |name| @steps[name] }
        bad = all.select { |parent| %w[failed cancelled blocked_by_failure task_ended].include?(parent.reason) }
        said = { "failed" => "failed", "cancelled" => "was cancelled" }
        names((bad.empty? ? all : bad).map do |parent|
                "#{parent.name}, which #{said.fetch(parent.reason, "is blocked")}"
              end)
      end

      def names(all)
        all.size > NAMES ? "#{all.first(NAMES).join(", ")} and #{all.size - NAMES} more" : all.join(", ")
      end

      def at(moment)
        left = moment - Time.now
        left.positive? ? "in #{Moments.shown(left)}" : "is due"
      end
    end
  end
end
