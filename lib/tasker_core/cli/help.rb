# frozen_string_literal: true

module TaskerCore
  module CLI
    # `tasker help`, and `tasker help COMMAND`.
    #
    # @api private
    class Help
      AFTER = <<~TEXT

        `tasker help COMMAND` tells more, with the options and examples. Exit codes: 0 done, 1 what was asked for failed,
        2 it was asked for in the wrong way, 130 interrupted. TASKER_DATABASE_URL names the database, NO_COLOR leaves the
        colours out, TASKER_DEBUG=1 shows where an error was raised.
      TEXT
      private_constant :AFTER

      def initialize(terminal)
        @terminal = terminal
      end

      def run(argv)
        return list if argv.empty?

        @terminal.say(CLI.command(argv.first).new(@terminal).help_text)
      end

      private

      def list
        @terminal.say("Durable workflows: runs them, looks at them, and takes them in hand.\n\n" \
                      "Usage: tasker COMMAND [options]\n\nCommands:")
        @terminal.table(CLI.names.map { |name| ["  #{name}", CLI.command(name).summary] })
        @terminal.say(AFTER)
      end
    end
  end
end
