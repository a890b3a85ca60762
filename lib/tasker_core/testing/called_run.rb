# frozen_string_literal: true

module TaskerCore
  module Testing
    # One run of a workflow on the thread that asks for it; see {Testing.run_workflow}.
    #
    # @api private
    class CalledRun
      # What a task's id looks like; a workflow's name does not.
      ID = /\A\h{8}(-\h{4}){3}-\h{12}\z/
      private_constant :ID

      def self.workflow?(given)
        case given
        when Template, Symbol then true
        when String then !ID.match?(given)
        when Class then given <= Workflow
        else false
        end
      end

      # @param context [Hash, nil] nil where the options are the context
      def initialize(handle, workflow, context, options)
        @handle = handle
        @options = context.nil? ? { context: options } : { **options, context: context }
        @workflow = named?(workflow) ? take_namespace(workflow.to_s) : workflow
      end

      # @return [Task]
      def run
        raise Error, "run_workflow can't be called from inside a handler: it would wait for its own step" if
          Attempt.current?

        return run_in_mode unless Testing.disabled?

        Testing.fake! { run_in_mode }
      end

      private

      def named?(workflow) = workflow.is_a?(String) || workflow.is_a?(Symbol)

      # A name may have its namespace before it.
      def take_namespace(name)
        namespace, _, name = name.rpartition("/")
        @options = { namespace: namespace, **@options } unless namespace.empty?
        name
      end

      def run_in_mode
        handle = @handle || TaskerCore.handle
        handle.register(@workflow) if @workflow.is_a?(Template)
        # Not after the commit of a transaction that the test has open.
        task = handle.create_task_now(@workflow, @options)
        Drain.new(Testing.stage, [handle], goal: :settled) { task.reload.ended? }.run
        ended(handle, task.reload)
      end

      def ended(handle, task)
        return task if task.ended?

        raise NotEndedError.new("the task #{task.id} (#{task.namespace}/#{task.name}) does not end: " \
                                "#{Standing.new(task, Ledger.of(handle).now)}", task: task)
      end
    end
  end
end
