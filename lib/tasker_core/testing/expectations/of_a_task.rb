# frozen_string_literal: true

module TaskerCore
  module Testing
    # What RSpec's matchers and Minitest's assertions have in common.
    module Expectations
      # Something that is expected of a task, as it is when that is looked at: a {Task}, a {WorkflowRun} or a
      # {PatternWorkflow} that {Testing} made. In RSpec it is a matcher, which goes with `and`, `or` and others.
      class OfATask
        # @param actual [Task, WorkflowRun, PatternWorkflow]
        # @return [Boolean]
        # @raise [NotFoundError] when it names a step that the task doesn't have
        def matches?(actual)
          @actual = actual
          @task = task_of(actual)&.reload
          return false unless @task

          @steps = @task.steps
          met?
        end

        # @param actual [Task, WorkflowRun, PatternWorkflow]
        # @return [Boolean] false for what is no task, too
        def does_not_match?(actual)
          met = matches?(actual)
          !@task.nil? && !met
        end

        # @return [String] what was expected, what came instead, and the task's graph with the states of its steps
        def failure_message = message("to")

        # @return [String]
        def failure_message_when_negated = message("not to")

        # @return [Boolean] a block is no task
        def supports_block_expectations? = false

        # @return [Boolean]
        def supports_value_expectations? = true

        private

        def task_of(actual)
          case actual
          when Task then actual
          when WorkflowRun, PatternWorkflow then actual.task
          else actual if actual.respond_to?(:deferred?) # what waits for a commit gives the task when it reloads
          end
        end

        def message(way)
          return "expected #{@actual.inspect} #{way} #{description}, but it is no task" unless @task

          "expected the task #{way} #{description}#{", but #{problem}" if way == "to"}\n\n" \
            "#{Picture.new(@task, @steps)}"
        end

        def step(name)
          @steps.find { |step| step.name == name } or
            raise NotFoundError, "the task #{@task.namespace}/#{@task.name} has no step #{name.inspect}" \
                                 "#{Nearest.hint(name, @steps.map(&:name))}"
        end

        def history = @task.history

        def shown(value) = Likeness.shown(value)
      end
    end
  end
end
