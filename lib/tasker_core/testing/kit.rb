# frozen_string_literal: true

module TaskerCore
  module Testing
    # What examples do with workflows. `require "tasker_core/rspec"` has these methods in every example,
    # {Assertions} in a class of Minitest's; elsewhere they are methods of this module.
    module Kit
      extend self # rubocop:disable Style/ModuleFunction -- examples call these methods from outside, too

      # Runs a workflow to its end on the current thread; see {Testing.run_workflow}.
      #
      # @return (see Testing.run_workflow)
      def run_workflow(...) = Testing.run_workflow(...)

      # Runs one handler without a database; see {Testing.run_step}.
      #
      # @return (see Testing.run_step)
      def run_step(...) = Testing.run_step(...)

      # Runs the steps of tasks that were started in this example, on the current thread.
      #
      # @param handle [OrchestrationHandle, nil] what there is on this one; where it is left out, on all on which tasks
      #   were started
      # @param until [Symbol] `:due`: until nothing can run without time passing; `:idle`: the time of retries is
      #   skipped, and a later `run_at` is left alone; `:settled`: that, too, is skipped, until no task waits for time
      # @param timeout [Numeric] seconds that it may take
      # @return [WorkSummary] how many attempts were run, and how many failed
      # @raise [ConfigurationError] when a database is not named as one for tests
      # @raise [NotFoundError] when {#fail_step} was given a step that there isn't; the message names the nearest
      # @raise [TimeoutError] when it takes longer
      # @example
      #   require "tasker_core/testing"
      #
      #   class Reminder < TaskerCore::Workflow
      #     step(:mail) { |ctx| raise "busy" if ctx.attempt == 1 }
      #   end
      #
      #   TaskerCore::Testing.fake! do
      #     task = Reminder.start
      #     later = Reminder.start({}, run_at: Time.now + 86_400)
      #     TaskerCore::Testing::Kit.drain(until: :due)
      #     task.reload.step(:mail).status # => "waiting_for_retry"
      #     TaskerCore::Testing::Kit.drain
      #     [task, later].map { |one| one.reload.status } # => ["complete", "pending"]
      #     TaskerCore::Testing::Kit.drain(until: :settled).ran # => 2
      #   end
      def drain(handle = nil, until: :idle, timeout: 30)
        goal = binding.local_variable_get(:until)
        raise Error, "drain can't be called from inside a handler: it would wait for its own step" if Attempt.current?

        stage = Testing.stage
        handles = handle ? [handle] : stage.handles
        handles = [TaskerCore.handle] if handles.empty?
        Drain.new(stage, handles, goal: goal, timeout: timeout).run
      end

      # Lets time pass: moves the clocks of the databases on which tasks were started in this example. Retries and later
      # `run_at`s that fall due run with the next {#drain}. ActiveSupport's `travel` and `travel_to`, and Timecop, move
      # them, too, and Ruby's own clock with it.
      #
      # @param seconds [Numeric] or an ActiveSupport::Duration
      # @return [void]
      # @raise [ValidationError] when it is no number of seconds
      def advance(seconds)
        span = Seconds.parse(seconds, "seconds") or
          raise ValidationError.at("seconds", "is a number of seconds", expected: "seconds", got: "nil")
        stage = Testing.stage
        handles = stage.handles
        handles = [TaskerCore.handle] if handles.empty?
        handles.each { |handle| stage.clock(handle).skip(span) }
        nil
      end

      # Makes a step fail in this example: an attempt raises this in place of what its handler does. It holds for steps
      # that run on the thread of the test. Of a name that no workflow's step has which is known by the time that steps
      # run, whoever runs them is told.
      #
      # @param step [Symbol, String] its name; of a step with `each:`, that of one item (`"parcel[3]"`), or of all
      # @param with [Class<Exception>, Exception, String] what is raised; a String is the message of a RuntimeError
      # @param times [Integer, nil] how many attempts fail; nil for all
      # @param workflow [Class<Workflow>, nil] the workflow whose step it is; any where it is left out
      # @return [Object] what tells of it in `inspect`
      # @raise [ValidationError] when an argument is wrong
      # @raise [NotFoundError] when the workflow that is named has no such step; the message names the nearest
      # @example
      #   require "tasker_core/testing"
      #
      #   class Payment < TaskerCore::Workflow
      #     step(:charge) { "charged" }
      #   end
      #
      #   TaskerCore::Testing::Kit.fail_step(:charge, with: IOError, times: 2)
      #   TaskerCore::Testing::Kit.run_workflow(Payment).step(:charge).attempts # => 3
      def fail_step(step, with:, times: nil, workflow: nil)
        Testing.stage.failures.add(step, with: with, times: times, workflow: workflow)
      end

      # The tasks that were started in this example, as they are now. Noted in the modes fake and inline.
      #
      # @param workflow [Class<Workflow>, nil] only those of this one
      # @return [Array<Task>]
      def started_tasks(workflow = nil)
        tasks = Testing.stage.starts.map { |start| start.handle.task(start.id) }
        return tasks unless workflow

        tasks.select { |task| [task.namespace, task.name] == [workflow.namespace, workflow.task_name] }
      end
    end
  end
end
