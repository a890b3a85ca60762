# frozen_string_literal: true

module TaskerCore
  module CLI
    # It was asked for in the wrong way: exit code 2.
    class UsageError < StandardError
      # @return [String, nil] what to do about it
      attr_reader :hint

      # @param message [String] one line
      # @param hint [String, nil] what to do about it
      def initialize(message, hint: "`tasker help` lists what there is")
        super(message)
        @hint = hint
      end
    end

    # What was asked for failed, as a command says it: exit code 1.
    class Failed < StandardError; end
  end
end
