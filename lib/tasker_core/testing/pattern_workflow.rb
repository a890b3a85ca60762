# frozen_string_literal: true

module TaskerCore
  module Testing
    # A workflow that {Testing.create_workflow} made: its template and one task of it.
    class PatternWorkflow < Foundation
      # @return [Symbol] `:linear`, `:diamond`, `:parallel`, `:tree` or `:dense`
      attr_reader :pattern
      # @return [Task] as it was created
      attr_reader :task

      # @api private
      def initialize(handle, template, pattern, shape, task)
        super(handle, template)
        @pattern = pattern
        @shape = shape
        @task = task
      end

      # @return [Array<Array<String>>] the steps in layers: each depends on steps of the layer before its own, and is
      #   ready when these are done
      def layers
        @shape.group_by { |step| step[:layer] }.sort.map { |_, steps| steps.map { |step| step[:name] } }
      end

      # @return [Array<Array(String, String)>] pairs of a step and one that depends on it
      def edges
        @shape.flat_map { |step| step[:depends_on].map { |parent| [parent, step[:name]] } }
      end

      # @param step [String, Symbol]
      # @return [Array<String>] the steps that it depends on
      # @raise [NotFoundError] when there is no such step; the message names the nearest
      def parents(step)
        found = @shape.find { |one| one[:name] == step.to_s } or
          raise NotFoundError, "the workflow #{name} has no step #{step.to_s.inspect}#{Nearest.hint(step, steps)}"
        found[:depends_on]
      end

      # Whether every step comes after those that it depends on.
      #
      # @param order [Array<String>] such as {WorkflowRun#order}
      # @return [Boolean]
      def possible?(order)
        place = order.each_with_index.to_h
        edges.all? { |parent, child| !place[child] || (place[parent] && place[parent] < place[child]) }
      end
    end
  end
end
