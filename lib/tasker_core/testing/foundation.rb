# frozen_string_literal: true

module TaskerCore
  module Testing
    # A template that {Testing.create_foundation} made, in its namespace.
    class Foundation
      # @return [OrchestrationHandle] on which it is registered
      attr_reader :handle
      # @return [Template]
      attr_reader :template

      # @api private
      def initialize(handle, template)
        @handle = handle
        @template = template
      end

      # @return [String]
      def namespace = template.namespace

      # @return [String]
      def name = template.name

      # @return [String]
      def version = template.version

      # @return [Array<String>] the names of its steps
      def steps = template.steps

      # Creates a task of it, which is cleaned up with the rest.
      #
      # @param options [Hash] those of {OrchestrationHandle#create_task}
      # @return [Task]
      # @raise [ValidationError, DuplicateTaskError, DatabaseError] see {OrchestrationHandle#create_task}
      def create_task(**options)
        Testing.create_task(handle, template: self, **options)
      end

      # @return [String] one short line
      def inspect
        "#<#{self.class} #{namespace}/#{name} #{version}: #{steps.size} steps>"
      end
      alias to_s inspect
    end
  end
end
