# frozen_string_literal: true

module TaskerCore
  module Testing
    # The loss of a worker at a step, once.
    #
    # @api private
    class Crash
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
