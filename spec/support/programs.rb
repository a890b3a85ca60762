# frozen_string_literal: true

require "open3"
require "rbconfig"

module Support
  ROOT = File.expand_path("../..", __dir__)

  # Ruby programs in processes of their own.
  module Programs
    # What a program said and how it ended.
    Outcome = Struct.new(:output, :status) do
      def success? = status.success?
      def lines = output.lines(chomp: true)

      # The last line, which the program wrote as JSON.
      def json = JSON.parse(lines.last)
    end

    # A program under way.
    class Program
      attr_reader :pid

      def initialize(command, env:, folder:)
        @output, writer = IO.pipe
        @text = +""
        input, @input = IO.pipe
        @pid = Process.spawn(env, *command, chdir: folder, out: writer, err: writer, in: input, pgroup: true)
        [writer, input].each(&:close)
        @reader = Thread.new { read }
      end

      # What it said until now.
      def text
        @text.dup
      end

      def said?(pattern)
        text.match?(pattern)
      end

      # Writes a line to its standard input.
      def say(line)
        @input.puts(line)
      end

      # Whether its main thread waits.
      def asleep?
        File.read("/proc/#{pid}/stat")[/\) (\S)/, 1] == "S"
      end

      def signal(name)
        Process.kill(name, pid)
      end

      # Waits for its end.
      def outcome
        @status ||= Process.wait2(pid).last
        @reader.join(5)
        @input.close
        Outcome.new(text, @status)
      end

      def ended?
        return true if @status

        _, @status = Process.wait2(pid, Process::WNOHANG)
        !@status.nil?
      end

      # Ends it and everything it started.
      def kill
        Process.kill("KILL", -pid)
        outcome
      rescue Errno::ESRCH, Errno::ECHILD
        nil
      end

      private

      def read
        loop { @text << @output.readpartial(65_536).force_encoding(Encoding::UTF_8) }
      rescue EOFError
        @output.close
      end
    end

    PREAMBLE = <<~RUBY.freeze
      require "json"
      require "logger"
      require "tasker_core"
      $stdout.sync = true
      require "#{ROOT}/spec/support/garbage"
      Support::Garbage.trouble
      TaskerCore.configure { |c| c.logger = Logger.new(File::NULL) }
    RUBY

    # Starts a program given as source; `url` is in its ENV["URL"].
    def start_program(source, *arguments, env: {}, folder: ROOT, preamble: PREAMBLE)
      file = Tempfile.new(["program", ".rb"])
      file.write(preamble, source)
      file.close
      (@program_files ||= []) << file
      start_command([RbConfig.ruby, "-W1", "-I#{ROOT}/lib", file.path, *arguments], env: env, folder: folder)
    end

    def start_command(command, env: {}, folder: ROOT)
      env = { "URL" => respond_to?(:database) ? database.url : nil, **env }
      program = Program.new(command, env: env, folder: folder)
      (@programs ||= []) << program
      program
    end

    # Waits until a program has said what matches.
    def await_words(program, pattern, within: 20)
      eventually(within: within) { program.said?(pattern) || program.ended? }
      # Its last words may still be on their way.
      return if program.said?(pattern) || (program.outcome && program.said?(pattern))

      raise "the program ended (#{program.outcome.status}) and said:\n#{program.text}"
    rescue RSpec::Expectations::ExpectationNotMetError
      raise "the program said nothing like #{pattern.inspect} within #{within} s, but:\n#{program.text}"
    end

    # Runs a program to its end.
    def run_program(source, *arguments, **options)
      start_program(source, *arguments, **options).outcome
    end

    # Runs a program that has to succeed, and gives the JSON that it ends with.
    def ask_program(source, *arguments, **options)
      outcome = run_program(source, *arguments, **options)
      raise "the program failed (#{outcome.status}):\n#{outcome.output}" unless outcome.success?

      outcome.json
    end
  end
end
