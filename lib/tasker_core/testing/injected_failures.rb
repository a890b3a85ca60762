# frozen_string_literal: true

module TaskerCore
  module Testing
    # The failures that a test has asked for with {Kit#fail_step}.
    #
    # @api private
    class InjectedFailures
      # One of them.
      class Failure
        # What stands behind the name of a step with `each:` for one of its items.
        ITEM = /\[\d+\]\z/
        private_constant :ITEM

        # @return [String]
        attr_reader :step

        def initialize(step, with, times, workflow)
          @step = step.to_s
          @error = with
          @left = times
          @workflow = workflow
        end

        # @param steps [Array<String>] all that it can be
        # @raise [NotFoundError] when it is none of them
        def check(steps)
          return if steps.include?(@step) || steps.include?(@step.sub(ITEM, ""))

          whose = @workflow ? "the workflow #{@workflow.task_name} has no" : "no workflow that is known here has a"
          raise NotFoundError, "fail_step(#{@step.to_sym.inspect}, …): #{whose} step of that name" \
                               "#{Nearest.hint(@step, steps)}"
        end

        # @return [Exception, nil] what the step is to raise now
        def take(assignment)
          return unless meant?(assignment) && @left != 0

          @left -= 1 if @left
          @error.is_a?(String) ? RuntimeError.new(@error) : @error.exception
        end

        # An expectation's place is no place for it.
        def matches?(_actual)
          raise ArgumentError, "fail_step(:#{step}, with: …) makes the step fail. To expect that it has failed: " \
                               "fail_step(:#{step}).with_error(…)"
        end
        alias does_not_match? matches?

        def inspect = "#<fail_step(:#{step}) with #{@error.inspect}#{", #{@left} more times" if @left}>"

        private

        def meant?(assignment)
          return false unless [assignment.step_name, assignment.definition_name].include?(@step)

          @workflow.nil? || [@workflow.namespace, @workflow.task_name] == [assignment.namespace, assignment.task_name]
        end
      end

      def initialize
        @failures = []
        @unchecked = []
        @lock = Mutex.new
      end

      def add(step, with:, times:, workflow:)
        check_error(with)
        check_times(times)
        check_workflow(workflow)
        failure = Failure.new(step, with, times, workflow)
        failure.check(workflow.steps.map { |one| one[:name].to_s }) if workflow
        @lock.synchronize do
          @unchecked << failure unless workflow
          @failures << failure
        end
        failure
      end

      # A step of any workflow is known to be none when steps are about to run.
      #
      # @yieldreturn [Array<String>] the names of all steps that there are
      # @raise [NotFoundError] for a failure that was asked for since the last time, and of which there is no step
      def check
        unchecked = @lock.synchronize { @unchecked.slice!(0..) }
        return if unchecked.empty?

        steps = yield
        unchecked.each { |failure| failure.check(steps) }
      end

      # @return [Exception, nil] what this attempt is to raise: the first that was asked for and is left
      def take(assignment)
        @lock.synchronize do
          @failures.each do |failure|
            error = failure.take(assignment)
            return error if error
          end
          nil
        end
      end

      private

      def check_times(times)
        return if times.nil? || (times.is_a?(Integer) && times.positive?)

        raise ValidationError.at("times", "is how many attempts fail, 1 or more; nil for all of them",
                                 expected: "1 or more", got: Native.shown(times))
      end

      def check_workflow(workflow)
        return if workflow.nil? || (workflow.is_a?(Class) && workflow <= Workflow)

        raise ValidationError.at("workflow", "is the class of a workflow; nil for any",
                                 expected: "a subclass of TaskerCore::Workflow", got: Native.shown(workflow))
      end

      def check_error(with)
        return if with.is_a?(String) || with.is_a?(Exception)
        return if with.is_a?(Class) && with <= Exception && with.exception

        raise ValidationError.at("with", "is what the step raises",
                                 expected: "a class of errors, an error or a message", got: Native.shown(with))
      rescue ArgumentError
        raise ValidationError.at("with", "can't be made without arguments: give a #{with} in place of its class",
                                 expected: "an error", got: with.name)
      end
    end
  end
end
