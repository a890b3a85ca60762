# frozen_string_literal: true

module TaskerCore
  module Testing
    module Expectations
      # That a step has failed for good; or, where an attempt is given, that this attempt has, whatever came after it.
      class FailStep < OfATask
        # @param name [Symbol, String]
        def initialize(name)
          super()
          @name = name.to_s
          # Those that RSpec clones have it in common.
          @asked = []
        end

        # (see OfATask#matches?)
        def matches?(actual)
          @asked[0] = true
          super
        end

        # @param kind [Class, String, Regexp, nil] a class of errors, also that it inherits from; or its message
        # @param message [String, Regexp, Object, nil] the message, or what matches it
        # @return [self]
        def with_error(kind, message = nil)
          if kind.is_a?(Module)
            @kind = kind
            @message = message
          else
            @message = kind
          end
          self
        end

        # @param number [Integer] the first is 1
        # @return [self]
        def on_attempt(number)
          @attempt = number
          self
        end

        # @return [String]
        def description
          with = [@kind, @message && shown(@message)].compact.join(": ")
          "fail the step #{@name}#{" with #{with}" unless with.empty?}#{" on attempt #{@attempt}" if @attempt}"
        end

        # @return [Boolean] whether anyone asked it: one that nobody does is a failure that was to be injected
        def asked? = @asked.any?

        # @return [String] how it was written
        def call = "fail_step(#{@name.to_sym.inspect})"

        private

        def met?
          @step = step(@name)
          @error = @attempt ? error_of_attempt : (@step.error if @step.error?)
          !@error.nil? && kind?(@error["class"].to_s) && message?(@error["message"].to_s)
        end

        def error_of_attempt
          history.find { |move| move.step_name == @name && move.attempt == @attempt && move.error }&.error
        end

        # What the engine itself reports has a short name: `Timeout`, `InvalidOutput`.
        def kind?(name)
          return true if @kind.nil? || name == @kind.name || name == @kind.name&.delete_prefix("TaskerCore::")

          constant = Object.const_get(name) if Object.const_defined?(name)
          constant.is_a?(Module) && constant <= @kind
        rescue NameError
          false
        end

        def message?(message) = @message.nil? || Likeness.like?(@message, message)

        def problem
          return "that failed with #{@error["class"]}: #{@error["message"]}" if @error
          return "it is #{@step.status}" unless @attempt

          failed = history.select { |move| move.step_name == @name && move.error }.map(&:attempt)
          failed.empty? ? "no attempt failed" : "the attempts that failed are #{failed.join(", ")}"
        end
      end
    end
  end
end
