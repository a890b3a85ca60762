# frozen_string_literal: true

module TaskerCore
  module Testing
    # The failures that a test has asked for with {Kit#fail_step}.
    #
    # @api private
    class InjectedFailures
      # One of them.
      class Failure
        # @return [Boolean] whether it is for this step
        attr_reader :step

        def initialize(step, with, times, workflow)
          @step = step.to_s
          @error = with
          @left = times
          @workflow = workflow
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
        @lock = Mutex.new
      end

      def add(step, with:, times:, workflow:)
        check_error(with)
        unless times.nil? || (times.is_a?(Integer) && times.positive?)
          raise ValidationError.at("times", "is how many attempts fail, 1 or more; nil for all of them",
                                   expected: "1 or more", got: Native.shown(times))
        end
        Failure.new(step, with, times, workflow).tap { |failure| @lock.synchronize { @failures << failure } }
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
