# frozen_string_literal: true

module TaskerCore
  module Testing
    # What `require "tasker_core/rspec"` adds to example groups.
    module CrashExamples
      # Two examples for each step of a workflow: in one its worker is lost before the step's handler is called, in the
      # other when it has returned and its result is not recorded. Both expect the task to be complete in the end. In
      # the second kind the handler runs twice: what it does outside has to bear that.
      #
      # An example whose step does not run with this input is skipped.
      #
      # @param workflow [Class<Workflow>]
      # @param context [Hash, Proc, nil] the task's input; a Proc makes it in the example, where `let` is known
      # @param keywords [Hash] the input, where `context` is left out
      # @yieldparam task [Task] as it ended; the block is a part of each example, for what else is to be true then
      # @return [void]
      # @example
      #   require "tasker_core/rspec"
      #
      #   class Payment < TaskerCore::Workflow
      #     step(:charge) { |ctx| ctx.context["euros"] * 100 }
      #   end
      #
      #   group = RSpec.describe(Payment) do
      #     it_survives_crashes_in(Payment, euros: 7) { |task| expect(task).to complete_step(:charge).with(700) }
      #   end
      #   group.run # => true
      #   group.examples.size # => 2
      def it_survives_crashes_in(workflow, context = nil, **keywords, &check)
        place = caller
        Crash.boundaries(workflow).each do |step, boundary, words|
          it(words, tasker: :fake, caller: place) do
            input = context.is_a?(Proc) ? instance_exec(&context) : context || keywords
            task = Crash.run(workflow, input, step, boundary) or skip "the step #{step} did not run"
            expect(task).to complete_task
            instance_exec(task, &check) if check
          end
        end
      end
    end
  end
end
