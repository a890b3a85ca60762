# frozen_string_literal: true

module TaskerCore
  module Testing
    # Does the steps for which a test says nothing else: its result tells the step's name, its attempt, and which
    # steps' results it saw.
    #
    # @example
    #   require "tasker_core/testing"
    #
    #   result = TaskerCore::Testing.run_step(TaskerCore::Testing::EchoHandler, "join", results: { a: 1, b: 2 })
    #   result # => { "step" => "join", "attempt" => 1, "parents" => ["a", "b"] }
    class EchoHandler < StepHandler
      # @param ctx [StepContext]
      # @return [Hash]
      def call(ctx)
        { "step" => ctx.step_name, "attempt" => ctx.attempt, "parents" => ctx.results.keys }
      end
    end
  end
end
