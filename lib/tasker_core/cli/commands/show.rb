# frozen_string_literal: true

require_relative "../tasks"
require_relative "../task_view"

module TaskerCore
  module CLI
    # `tasker show`: a task, its graph, and what holds it up.
    #
    # @api private
    class Show < Command
      include Tasks

      summary "Shows a task, its graph, and what holds it up"
      description <<~TEXT

        ID is a task's id, or its first eight digits or more where no other task's begins with them.
      TEXT
      example "tasker show 0197c8a1-6f2e-7c3d-9b1e-0123456789ab"
      example "tasker show 0197c8a1-6f2e --results --history"

      def declare(parser)
        parser.on("--items", "every item of a list has a line of its own") { options[:items] = true }
        parser.on("--results", "with the results of the steps") { options[:results] = true }
        parser.on("--history", "with what happened to it, and who did it") { options[:history] = true }
      end

      def call(id)
        task = find(id)
        steps = task.steps
        return terminal.json(record(task, steps)) if options[:json]

        TaskView.new(terminal, task, steps, reasons(task), items: options[:items]).show
        show_results(steps) if options[:results]
        show_history(task) if options[:history]
      end

      private

      def reasons(task)
        performance = handle.performance
        idle = performance.system_health.workers.zero?
        Reasons.new(performance.viable_steps(task.id), workers: !idle)
      end

      # For programs: all of it.
      def record(task, steps)
        said = reasons(task)
        steps = steps.map { |step| { **step.as_json, "reason" => said.of(step.name) } }
        standing = handle.performance.task_execution_context(task.id).as_json
        record = { **task.as_json, "steps" => steps, "execution" => standing }
        record["history"] = task.history.map(&:as_json) if options[:history]
        record
      end

      def show_results(steps)
        done = steps.select { |step| step.complete? || step.resolved_manually? }
        terminal.say
        terminal.table(done.map { |step| [step.name, Plain.text(JSON.generate(Filter.current.apply(step.result)))] },
                       head: %w[STEP RESULT])
      end

      def show_history(task)
        rows = task.history.map do |moved|
          [moved.at.utc.strftime("%F %T.%3N"), moved.step_name || "(task)",
           "#{moved.from || "new"} -> #{States.shown(terminal, moved.to)}", *[moved.by, moved.reason].map do |text|
                                                                              Plain.text(text)
                                                                            end]
        end
        terminal.say
        terminal.table(rows, head: %w[WHEN WHAT MOVED BY WHY])
      end
    end
  end
end
