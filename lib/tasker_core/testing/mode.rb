# frozen_string_literal: true

module TaskerCore
  module Testing
    # What becomes of tasks that are created while a suite runs; {Testing} has these methods.
    #
    # * **disabled**: what it is without the test kit. Tasks go to the configured database, and workers run them. That
    #   is so unless another mode is asked for.
    # * **fake**: tasks go to an engine in memory and stay there, until {Kit#drain} runs their steps on the thread that
    #   calls it.
    # * **inline**: the same, and whoever creates a task runs it, on its own thread, before it goes on: retries and all,
    #   without waiting for the time between them. A later `run_at` is left alone. A task that a handler creates runs
    #   when that handler has returned.
    #
    # In the last two the default handle ({TaskerCore.handle}) is one on `sqlite::memory:`, new for every example. A
    # handle of your own keeps its database, which has to be named as one for tests; tasks that are created on it run in
    # the same way, and are removed after the example.
    #
    # What is asked for by its name in that engine is a template that the application has registered on its own default
    # handle, or else a workflow class that is loaded.
    #
    # A mode is that of the process, for all threads. `require "tasker_core/rspec"` and `require "tasker_core/minitest"`
    # put back after each example what it was before.
    module Mode
      # @return [Symbol] `:disabled`, `:fake` or `:inline`
      def mode = @mode || :disabled

      # Runs each task where it is created; with a block, for as long as that runs.
      #
      # @yield where the mode is to be another one for a while
      # @return [Object, nil] what the block returned
      # @example
      #   require "tasker_core/testing"
      #
      #   class Greeting < TaskerCore::Workflow
      #     step(:greet) { |ctx| "hello #{ctx.context["name"]}" }
      #   end
      #
      #   TaskerCore::Testing.inline! do
      #     Greeting.start({ name: "Ada" }).step(:greet).result # => "hello Ada"
      #   end
      def inline!(&) = change_mode(:inline, &)

      # Keeps tasks until they are drained; with a block, for as long as that runs.
      #
      # @yield where the mode is to be another one for a while
      # @return [Object, nil] what the block returned
      # @example
      #   require "tasker_core/testing"
      #
      #   class Greeting < TaskerCore::Workflow
      #     step(:greet) { |ctx| "hello #{ctx.context["name"]}" }
      #   end
      #
      #   TaskerCore::Testing.fake! do
      #     task = Greeting.start({ name: "Ada" })
      #     task.status # => "pending"
      #     TaskerCore::Testing::Kit.drain
      #     task.reload.status # => "complete"
      #   end
      def fake!(&) = change_mode(:fake, &)

      # Lets everything go on as it does without the test kit; with a block, for as long as that runs.
      #
      # @yield where the mode is to be another one for a while
      # @return [Object, nil] what the block returned
      # @example
      #   require "tasker_core/testing"
      #
      #   TaskerCore::Testing.fake!
      #   TaskerCore::Testing.disabled! { TaskerCore::Testing.mode } # => :disabled
      #   TaskerCore::Testing.mode # => :fake
      def disabled!(&) = change_mode(:disabled, &)

      # @return [Boolean]
      def inline? = mode == :inline

      # @return [Boolean]
      def fake? = mode == :fake

      # @return [Boolean]
      def disabled? = mode == :disabled

      # Changes the mode to the one of this name; with a block, for as long as that runs.
      #
      # @param mode [Symbol, String] `:disabled`, `:fake` or `:inline`
      # @yield where the mode is to be another one for a while
      # @return [Object, nil] what the block returned
      # @raise [ValidationError] when there is no such mode
      def change_mode(mode)
        before = self.mode
        put_mode(mode)
        return unless block_given?

        begin
          yield
        ensure
          put_mode(before)
        end
      end

      # Forgets the tasks that were started and the failures that were asked for, closes the engine in memory, and
      # removes what was created on other handles in a mode other than disabled. After each example, by itself, in
      # RSpec and Minitest. The mode stays.
      #
      # @return [void]
      def reset
        stage = @stage
        @stage = nil
        stage&.close
      end

      # An example begins, in this mode if one is given.
      #
      # @api private
      def enter_example(mode)
        @mode_before = self.mode
        reset
        put_mode(mode) unless mode.nil?
      end

      # It has ended.
      #
      # @api private
      def leave_example(failed:)
        forgotten = @stage&.expected_failures&.find { |expected| !expected.asked? } unless failed
        put_mode(@mode_before || :disabled)
        reset
        return unless forgotten

        raise ArgumentError, "#{forgotten.call} stands alone, and did nothing. To make the step fail, say with what: " \
                             "#{forgotten.call.chop}, with: …)"
      end

      # @api private
      # @return [Stage] what is kept of the present example
      def stage = @stage ||= Stage.new

      private

      MODES = %i[disabled fake inline].freeze
      private_constant :MODES

      def put_mode(mode)
        mode = mode.to_sym if mode.is_a?(String)
        unless MODES.include?(mode)
          modes = MODES.map(&:inspect).join(", ")
          raise ValidationError.at("tasker", "is one of #{modes}#{Nearest.hint(mode, MODES)}",
                                   expected: modes, got: Native.shown(mode))
        end
        OrchestrationManager.instance.stand_in = mode == :disabled ? nil : -> { stage.engine }
        @mode = mode
      end
    end
  end
end
