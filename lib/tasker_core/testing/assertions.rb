# frozen_string_literal: true

module TaskerCore
  module Testing
    # {Kit} and assertions, for `include` in a test class of Minitest, or in `ActiveSupport::TestCase`. `tasker :inline`
    # in the class says in which mode ({Mode}) its tests run; after each test everything is as it was before.
    #
    # Values are like what a test says when they are equal, with Symbols for Strings, or when that answers to `===`:
    # classes, ranges, patterns, also within Hashes and Arrays.
    #
    # @example
    #   require "minitest"
    #   require "tasker_core/minitest"
    #
    #   class Greeting < TaskerCore::Workflow
    #     step(:greet) { |ctx| "hello #{ctx.context["name"]}" }
    #   end
    #
    #   class GreetingTest < Minitest::Test
    #     include TaskerCore::Testing::Assertions
    #     tasker :inline
    #
    #     def test_greets
    #       assert_task_started(Greeting, with: { name: "Ada" }) { Greeting.start({ name: "Ada" }) }
    #       assert_step_completed started_tasks.first, :greet, with: /Ada/
    #     end
    #   end
    module Assertions
      include Kit

      # What a test class gets.
      module ClassMethods
        # @param mode [Symbol, nil] `:disabled`, `:fake` or `:inline`, for its tests and those of classes that inherit
        # @return [Symbol, nil]
        def tasker(mode = nil)
          @tasker = mode if mode
          @tasker || (superclass.tasker if superclass.respond_to?(:tasker))
        end

        # Two tests for each step of a workflow: in one its worker is lost before the step's handler is called, in the
        # other when it has returned and its result is not recorded. See {CrashExamples#it_survives_crashes_in}.
        #
        # @param workflow [Class<Workflow>]
        # @param context [Hash, Proc, nil] the task's input; a Proc makes it in the test
        # @param keywords [Hash] the input, where `context` is left out
        # @yieldparam task [Task] as it ended; the block is a part of each test
        # @return [void]
        def survives_crashes_in(workflow, context = nil, **keywords, &check)
          Crash.boundaries(workflow).each do |step, boundary, words|
            define_method("test_#{workflow.task_name}_#{words.tr(" ", "_")}") do
              input = context.is_a?(Proc) ? instance_exec(&context) : context || keywords
              task = Crash.run(workflow, input, step, boundary) or skip "the step #{step} did not run"
              assert_task_completed task
              instance_exec(task, &check) if check
            end
          end
        end
      end

      NOT_GIVEN = Object.new.freeze
      private_constant :NOT_GIVEN

      # @!visibility private
      def self.included(group)
        super
        group.extend(ClassMethods)
      end

      # @!visibility private
      def before_setup
        Testing.enter_example(self.class.tasker)
        super
      end

      # @!visibility private
      def after_teardown
        super
      ensure
        Testing.leave_example(failed: true)
      end

      # Fails unless a task is started while the block runs, or, without a block, was started in this test.
      #
      # @param workflow [Class<Workflow>, Template, String, Symbol, nil] of which it is
      # @param with [Object] what its context is like
      # @param exactly [Integer] how many
      # @yield what is to start it
      # @return [true]
      def assert_task_started(workflow = nil, with: NOT_GIVEN, exactly: 1, &block)
        expected = started(workflow, with).exactly(exactly)
        assert expected.matches?(block || TaskerCore), -> { expected.failure_message }
      end

      # Fails if such a task is started while the block runs, or, without a block, was started in this test.
      #
      # @param workflow [Class<Workflow>, Template, String, Symbol, nil] of which it is
      # @param with [Object] what its context is like
      # @yield what is not to start it
      # @return [true]
      def refute_task_started(workflow = nil, with: NOT_GIVEN, &block)
        expected = started(workflow, with)
        assert expected.does_not_match?(block || TaskerCore), -> { expected.failure_message_when_negated }
      end

      # Fails unless the task is complete.
      #
      # @param task [Task, WorkflowRun]
      # @return [true]
      def assert_task_completed(task) = assert_that(task, Expectations::CompleteTask.new)

      # Fails if the task is complete.
      #
      # @param task [Task, WorkflowRun]
      # @return [true]
      def refute_task_completed(task) = refute_that(task, Expectations::CompleteTask.new)

      # Fails unless the task's step is complete.
      #
      # @param task [Task, WorkflowRun]
      # @param step [Symbol, String]
      # @param with [Object] what its result is like
      # @param on_attempt [Integer, nil] in which attempt
      # @return [true]
      def assert_step_completed(task, step, with: NOT_GIVEN, on_attempt: nil)
        assert_that(task, completed(step, with, on_attempt))
      end

      # Fails if the task's step is complete, with that result where one is given.
      #
      # @param task [Task, WorkflowRun]
      # @param step [Symbol, String]
      # @param with [Object] what its result is like
      # @param on_attempt [Integer, nil] in which attempt
      # @return [true]
      def refute_step_completed(task, step, with: NOT_GIVEN, on_attempt: nil)
        refute_that(task, completed(step, with, on_attempt))
      end

      # Fails unless the task's step has failed: for good, or in the attempt that is given.
      #
      # @param task [Task, WorkflowRun]
      # @param step [Symbol, String]
      # @param with_error [Class, String, Regexp, Array, nil] the error's class, or its message, or both
      # @param on_attempt [Integer, nil]
      # @return [true]
      def assert_step_failed(task, step, with_error: nil, on_attempt: nil)
        assert_that(task, failed(step, with_error, on_attempt))
      end

      # Fails if the task's step has failed: for good, or in the attempt that is given.
      #
      # @param task [Task, WorkflowRun]
      # @param step [Symbol, String]
      # @param with_error [Class, String, Regexp, Array, nil] the error's class, or its message, or both
      # @param on_attempt [Integer, nil]
      # @return [true]
      def refute_step_failed(task, step, with_error: nil, on_attempt: nil)
        refute_that(task, failed(step, with_error, on_attempt))
      end

      # Fails unless these steps of the task ran in this order.
      #
      # @param task [Task, WorkflowRun]
      # @param steps [Array<Symbol, String>]
      # @return [true]
      def assert_ran_in_order(task, *steps) = assert_that(task, Expectations::RunInOrder.new(*steps))

      private

      def started(workflow, context)
        expected = Expectations::StartTask.new(workflow)
        NOT_GIVEN.equal?(context) ? expected : expected.with(context)
      end

      def completed(step, result, attempt)
        expected = Expectations::CompleteStep.new(step)
        expected.with(result) unless NOT_GIVEN.equal?(result)
        attempt ? expected.on_attempt(attempt) : expected
      end

      def failed(step, error, attempt)
        expected = Expectations::FailStep.new(step)
        expected.with_error(*error) unless error.nil?
        attempt ? expected.on_attempt(attempt) : expected
      end

      def assert_that(task, expected)
        assert expected.matches?(task), -> { expected.failure_message }
      end

      def refute_that(task, expected)
        assert expected.does_not_match?(task), -> { expected.failure_message_when_negated }
      end
    end
  end
end
