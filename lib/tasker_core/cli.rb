# frozen_string_literal: true

require_relative "version"
require_relative "errors"
require_relative "cli/errors"
require_relative "cli/terminal"
require_relative "cli/command"
require_relative "cli/help"

module TaskerCore
  # The command `tasker`. Each of its commands is a class, in a file of its name under `cli/commands`; only the one that
  # is asked for is loaded, and the engine only by a command that needs it.
  #
  # Exit codes of all commands:
  #
  # * 0: done
  # * 1: what was asked for failed: there is no such task, the database does not answer, the task ended in error
  # * 2: it was asked for in the wrong way: an unknown command or option, a wrong setting or URL, a program that can't
  #   be loaded
  # * 130: interrupted (Ctrl-C)
  #
  # What a user can mend is one line on standard error; `TASKER_DEBUG=1` adds where it was raised.
  #
  # @example
  #   require "tasker_core/cli"
  #
  #   TaskerCore::CLI.run(%w[help work]) # => 0
  module CLI
    COMMANDS = "#{__dir__}/cli/commands".freeze
    # The exit code of what was asked for and failed.
    FAILED = 1
    # That of a command, an option or a configuration that is wrong.
    USAGE = 2
    # That of Ctrl-C.
    INTERRUPTED = 130
    private_constant :COMMANDS

    class << self
      # Runs a command.
      #
      # @param argv [Array<String>] as a shell gives it; it is not changed
      # @param out [IO] for what was asked for
      # @param err [IO] for what went wrong
      # @param in [IO] for what people answer
      # @return [Integer] the exit code
      def run(argv, out: $stdout, err: $stderr, in: $stdin)
        terminal = Terminal.new(out, err, binding.local_variable_get(:in))
        answer(terminal) { dispatch(argv.dup, terminal) }
      end

      # @return [Array<String>] the names of all commands, in the order of the alphabet
      def names
        @names ||= Dir.children(COMMANDS).map { |file| File.basename(file, ".rb") }.sort.freeze
      end

      # @param name [String]
      # @return [Class<Command>] the command
      # @raise [UsageError] when there is none of that name
      def command(name)
        raise UsageError, "there is no command #{name.inspect}#{near(name, names)}" unless names.include?(name)

        require_relative "cli/commands/#{name}"
        const_get(name.split("_").map(&:capitalize).join)
      end

      # The hint that goes with a wrong word. (Not the engine's own: this works without it.)
      #
      # @api private
      # @return [String] ` (did you mean "…"?)`, or nothing
      def near(word, words)
        return "" unless defined?(DidYouMean::SpellChecker)

        found = DidYouMean::SpellChecker.new(dictionary: words).correct(word).first
        found ? " (did you mean #{found.inspect}?)" : ""
      end

      private

      def dispatch(argv, terminal)
        case (word = argv.shift)
        when nil, "help", "-h", "--help" then Help.new(terminal).run(argv)
        when "-v", "--version", "version" then terminal.say("tasker #{VERSION}")
        when /\A-/ then raise UsageError, "#{word} comes after a command#{near(word, %w[--help --version])}"
        else return command(word).new(terminal).run(argv)
        end
        0
      end

      # The exit code of what the block does, or of what it raises.
      def answer(terminal)
        yield
      rescue UsageError, ConfigurationError, ValidationError, LoadError => e
        complain(terminal, e, USAGE)
      rescue Interrupt
        INTERRUPTED
      rescue Errno::EPIPE
        # Whoever read has seen enough: `tasker list | head`.
        0
      rescue Error, Failed => e
        complain(terminal, e, FAILED)
      rescue StandardError => e
        complain(terminal, e, FAILED, "#{e.class}: #{e.message} (TASKER_DEBUG=1 shows where)")
      end

      def complain(terminal, error, code, message = error.message)
        terminal.complain(message)
        terminal.hint(error.hint) if error.respond_to?(:hint) && error.hint
        terminal.hint(error.full_message(highlight: false)) if debug?
        code
      end

      def debug? = !["", "0"].include?(ENV.fetch("TASKER_DEBUG", "0"))
    end
  end
end
