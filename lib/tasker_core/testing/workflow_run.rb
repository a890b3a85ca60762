# frozen_string_literal: true

module TaskerCore
  module Testing
    # A task that has ended, with all there is to look at; {Testing.run_workflow} gives it.
    class WorkflowRun
      # @return [Task] as it ended
      attr_reader :task
      # @return [Hash{String => Step}] its steps by name, in the order of the template
      attr_reader :steps
      # @return [Array<Transition>] what happened to it and its steps, oldest first
      attr_reader :transitions

      # @api private
      def initialize(task)
        @task = task
        @steps = task.steps.to_h { |step| [step.name, step] }.freeze
        @transitions = task.history.freeze
        freeze
      end

      # @return [String] the task's
      def status = task.status

      # @return [Boolean] whether all of it was done
      def complete? = task.complete?

      # @param name [String, Symbol]
      # @return [Step]
      # @raise [NotFoundError] when there is no such step; the message names the nearest
      def step(name)
        steps.fetch(name.to_s) { raise NotFoundError, "there is no step #{name}#{Nearest.hint(name, steps.keys)}" }
      end

      # @return [Hash{String => Object}] the results of the steps that are complete
      def results
        steps.select { |_, step| step.complete? }.transform_values(&:result)
      end

      # @return [Array<String>] the steps that ran, in the order in which they were begun; with several attempts, by the
      #   first
      def order
        transitions.select { |transition| transition.to == "in_progress" }.filter_map(&:step_name).uniq
      end

      # The states that a step, or the task itself, went through.
      #
      # @param step [String, Symbol, nil] nil for the task
      # @return [Array<String>] the first is that of its creation
      def states(step = nil)
        transitions.select { |transition| transition.step_name == step&.to_s }.map(&:to)
      end

      # @return [String] one short line
      def inspect
        "#<TaskerCore::Testing::WorkflowRun #{task.id} #{status}: #{order.size} of #{steps.size} steps ran>"
      end
      alias to_s inspect
    end
  end
end
