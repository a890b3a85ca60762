# frozen_string_literal: true

module TaskerCore
  module Testing
    module Expectations
      # That a step is complete, with a result and in an attempt if these are given.
      class CompleteStep < OfATask
        # @param name [Symbol, String]
        def initialize(name)
          super()
          @name = name.to_s
        end

        # @param result [Object] what the result is like: Symbols count as Strings, and argument matchers go anywhere
        # @return [self]
        def with(result)
          @result = [result]
          self
        end

        # @param number [Integer] the attempt in which it was completed
        # @return [self]
        def on_attempt(number)
          @attempt = number
          self
        end

        # @return [String]
        def description
          "complete the step #{@name}#{" with #{shown(@result.first)}" if @result}" \
            "#{" on attempt #{@attempt}" if @attempt}"
        end

        private

        def met?
          @step = step(@name)
          @step.complete? && (@result.nil? || Likeness.like?(@result.first, @step.result)) &&
            (@attempt.nil? || @step.attempts == @attempt)
        end

        def problem
          return "it is #{@step.status}" unless @step.complete?
          return "it took #{@step.attempts} attempts" if @attempt && @step.attempts != @attempt

          "its result is #{Filter.current.apply(@step.result).inspect}"
        end
      end
    end
  end
end
