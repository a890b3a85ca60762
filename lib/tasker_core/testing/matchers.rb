# frozen_string_literal: true

module TaskerCore
  module Testing
    [Expectations::OfATask, Expectations::StartTask].each { |kind| kind.include(::RSpec::Matchers::Composable) }

    # {Kit} and the matchers, in every example of RSpec. Each of them goes with RSpec's own: argument matchers
    # (`hash_including`, `a_kind_of`), `and`, `or`, `not_to`, `aggregate_failures`. A task is looked at as it is then,
    # whenever its snapshot was taken.
    #
    # @example
    #   require "tasker_core/rspec"
    #   include TaskerCore::Testing::Matchers
    #
    #   class Payment < TaskerCore::Workflow
    #     step(:charge) { |ctx| { "cents" => ctx.context["euros"] * 100 } }
    #     step(:mail, depends_on: :charge) { "sent" }
    #   end
    #
    #   fail_step(:charge, with: IOError, times: 1)
    #   start = -> { @task = run_workflow(Payment, euros: 7) }
    #   have_started_task(Payment).with(euros: 7).matches?(start) # => true
    #   complete_task.matches?(@task) # => true
    #   complete_step(:charge).with(cents: 700).on_attempt(2).matches?(@task) # => true
    #   fail_step(:charge).with_error(IOError).on_attempt(1).matches?(@task) # => true
    #   run_in_order(:charge, :mail).matches?(@task) # => true
    module Matchers
      include Kit

      # That the block starts a task, or, of {TaskerCore} or a handle, that one was started in this example: exactly one
      # unless {Expectations::StartTask#exactly} and the like say otherwise.
      #
      # @param workflow [Class<Workflow>, Template, String, Symbol, nil] of which it is; any where it is left out
      # @return [Expectations::StartTask]
      def have_started_task(workflow = nil) # rubocop:disable Naming/PredicateName -- it follows `expect … to`
        Expectations::StartTask.new(workflow)
      end

      # That a task is complete.
      #
      # @return [Expectations::CompleteTask]
      def complete_task = Expectations::CompleteTask.new

      # That a step of a task is complete; `with` tells the result, `on_attempt` in which attempt.
      #
      # @param step [Symbol, String]
      # @return [Expectations::CompleteStep]
      def complete_step(step) = Expectations::CompleteStep.new(step)

      # With `with:`, makes the step fail ({Kit#fail_step}). In an expectation, without it, that the step of a task has
      # failed: for good, or in the attempt that `on_attempt` tells; `with_error` tells with what.
      #
      # One that stands alone and tells no `with:` does nothing; the example fails and says so.
      #
      # @param step [Symbol, String]
      # @param injection [Hash] `with:, times:, workflow:` of {Kit#fail_step}
      # @return [Expectations::FailStep, Object]
      def fail_step(step, **injection)
        return super unless injection.empty?

        Expectations::FailStep.new(step).tap { |expected| Testing.stage.expected_failures << expected }
      end

      # That steps of a task ran in this order.
      #
      # @param steps [Array<Symbol, String>]
      # @return [Expectations::RunInOrder]
      def run_in_order(*steps) = Expectations::RunInOrder.new(*steps)
    end
  end
end
