# frozen_string_literal: true

require "optparse"
require_relative "program"

module TaskerCore
  module CLI
    # What a command is made of. A subclass says what it is for and has two methods: `declare` adds options, and `call`
    # does the work. The arguments of `call` are those of the command, and their names are shown in its help.
    #
    # What `call` returns is the exit code where it is an Integer, and otherwise of no account.
    #
    # @example
    #   require "tasker_core/cli"
    #
    #   class Cancel < TaskerCore::CLI::Command
    #     summary "Cancels a task"
    #     example "tasker cancel 0197c8a1-6f2e-7c3d-9b1e-0123456789ab --by ada"
    #
    #     def declare(parser)
    #       parser.on("--by NAME", "who does it") { |name| options[:by] = name }
    #     end
    #
    #     def call(id)
    #       task = handle.task(id).cancel(by: options[:by])
    #       options[:json] ? terminal.json(task.to_h) : terminal.say("cancelled")
    #     end
    #   end
    class Command
      class << self
        # @return [String] what it is called by
        def command_name
          name.split("::").last.gsub(/([a-z])([A-Z])/, '\1_\2').downcase
        end

        # @param text [String, nil] sets it
        # @return [String] one line for the list of commands
        def summary(text = nil)
          text ? @summary = text : @summary
        end

        # @param text [String, nil] sets it
        # @return [String, nil] what its help says below the summary
        def description(text = nil)
          text ? @description = text : @description
        end

        # @param lines [Array<String>] adds them
        # @return [Array<String>] command lines for its help
        def example(*lines)
          (@examples ||= []).concat(lines)
        end

        # Whether a user's program is of use to it: then it has the option `-r`.
        #
        # @param answer [Boolean, nil] sets it
        # @return [Boolean] default: true
        def program(answer = nil)
          answer.nil? ? @program != false : @program = answer
        end

        # @return [String] how it is called
        def usage
          arguments = instance_method(:call).parameters.filter_map do |kind, argument|
            word = argument.to_s.upcase
            { req: word, opt: "[#{word}]", rest: "[#{word}…]" }[kind]
          end
          ["tasker", command_name, *arguments, "[options]"].join(" ")
        end
      end

      # @return [Terminal]
      attr_reader :terminal
      # @return [Hash{Symbol => Object}] what was given: `:database`, `:require`, `:json`, and the command's own
      attr_reader :options

      # @param terminal [Terminal]
      def initialize(terminal)
        @terminal = terminal
        @options = {}
      end

      # Reads the command line and does what it says.
      #
      # @param argv [Array<String>] what follows the command's name
      # @return [Integer] the exit code
      def run(argv)
        return help if (arguments = parse(argv)).nil?

        check_arguments(arguments)
        code = call(*arguments)
        code.is_a?(Integer) ? code : 0
      end

      # @return [String] its help, for people
      def help_text
        parser.to_s
      end

      # @return [Array<String>] the long and short options that it knows
      def switches
        parser.top.list.grep(OptionParser::Switch).flat_map { |switch| switch.long + switch.short }
      end

      # Adds its options; none by default.
      #
      # @param parser [OptionParser]
      # @return [void]
      def declare(parser); end

      private

      # `1 step`, `2 steps`.
      def counted(number, noun) = "#{number} #{noun}#{"s" unless number == 1}"

      # The engine, with the user's program loaded and the database chosen: what most commands work with.
      def handle
        @handle ||= begin
          load_program
          TaskerCore.handle
        end
      end

      # The user's program, loaded the first time.
      def load_program
        @load_program ||= Program.load(options[:require], database: options[:database])
      end

      def parse(argv)
        broken = argv.find { |word| !word.valid_encoding? }
        wrong("#{broken.scrub.inspect} is no text in #{broken.encoding}") if broken
        catch(:help) { parser.parse(argv) }
      rescue OptionParser::InvalidOption => e
        word = e.args.first[/\A[^=]*/]
        wrong("there is no option #{word}#{CLI.near(word, switches)}")
      rescue OptionParser::ParseError => e
        wrong(e.message)
      end

      def parser
        @parser ||= OptionParser.new do |parser|
          parser.require_exact = true
          introduce(parser)
          declare(parser)
          declare_common(parser)
          show_examples(parser)
        end
      end

      def introduce(parser)
        parser.banner = "#{self.class.summary}.\n\nUsage: #{self.class.usage}"
        self.class.description&.each_line { |line| parser.separator(line.chomp) }
        parser.separator("")
      end

      def declare_common(parser)
        if self.class.program
          parser.on("-r", "--require FILE|DIR", "a program to load first: a Ruby file, or the folder of a Rails app;",
                    "without it, the Rails app in this folder, if it is one") { |path| options[:require] = path }
        end
        parser.on("--database URL", "instead of TASKER_DATABASE_URL and what the program configures") do |url|
          options[:database] = url
        end
        parser.on("--json", "for programs: JSON, one line for each record") { options[:json] = true }
        parser.on("-h", "--help", "shows this") { throw(:help, nil) }
      end

      def show_examples(parser)
        examples = self.class.example
        return if examples.empty?

        parser.separator("")
        parser.separator(examples.one? ? "Example:" : "Examples:")
        examples.each { |line| parser.separator("    #{line}") }
      end

      def help
        terminal.say(help_text)
        0
      end

      def check_arguments(given)
        wanted = method(:call).parameters
        least = wanted.count { |kind, _| kind == :req }
        if given.size < least
          missing = wanted.select { |kind, _| kind == :req }[given.size].last.to_s.upcase
          wrong("#{missing} is missing")
        end
        return if wanted.any? { |kind, _| kind == :rest }

        most = wanted.count { |kind, _| %i[req opt].include?(kind) }
        wrong("#{given[most].inspect} is one argument too many") if given.size > most
      end

      # A number that was given with an option.
      def within(range, number, option)
        return number if range.cover?(number)

        raise UsageError.new("#{option}: #{number} is not from #{range.begin} to #{range.end}", hint: nil)
      end

      def wrong(message)
        raise UsageError.new(message, hint: "`tasker #{self.class.command_name} --help` shows how it is used")
      end
    end
  end
end
