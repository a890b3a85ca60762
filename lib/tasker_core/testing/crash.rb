# frozen_string_literal: true

module TaskerCore
  module Testing
    # The loss of a worker at a step, once.
    #
    # @api private
    class Crash
      WORDS = { before: "before %s runs", after: "when %s has run and nobody knows it yet" }.freeze
      private_constant :WORDS

      # Where a worker of the workflow can be lost, each with words for it.
      #
      # @return [Array<Array(Symbol, Symbol, String)>] step, boundary, words
      def self.boundaries(workflow)
        workflow.steps.map { |step| step[:name] }.product(WORDS.keys).map do |step, boundary|
          [step, boundary, "survives the loss of its worker #{format(WORDS[boundary], step)}"]
        end
      end

      # Runs the workflow, with that loss in it.
      #
      # @return [Task, nil] nil when the step did not run
      def self.run(workflow, input, step, boundary)
        crash = Testing.stage.crash = new(step, boundary)
        task = Testing.run_workflow(workflow, input)
        task if crash.struck?
      ensure
        Testing.stage.crash = nil
      end

      # @param step [String, Symbol] its first item, of a step that is done for each item of a list
      # @param boundary [Symbol] `:before` its handler is called, or `:after` it has returned, when its result is not
      #   recorded yet
      def initialize(step, boundary)
        @step = step.to_s
        @boundary = boundary
        @struck = false
      end

      def after? = @boundary == :after

      # @return [Boolean] whether it has happened
      def struck? = @struck

      def strikes?(assignment)
        return false if @struck || assignment.definition_name != @step

        @struck = true
      end
    end
  end
end
