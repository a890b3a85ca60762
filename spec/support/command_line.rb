# frozen_string_literal: true

require "pty"
require "stringio"
require "tasker_core/cli"

module Support
  # The command `tasker`, in this process.
  module CommandLine
    # What it said and how it ended.
    Said = Struct.new(:code, :out, :err) do
      def lines = out.lines(chomp: true)

      # Each line of the output.
      def records = lines.map { |line| JSON.parse(line) }
    end

    # Runs it on the example's database, where it has one.
    def tasker(*argv, input: "")
      out = StringIO.new
      err = StringIO.new
      argv += ["--database", database.url] if respond_to?(:database)
      code = TaskerCore::CLI.run(argv.map(&:to_s), out: out, err: err, in: StringIO.new(input))
      Said.new(code, out.string, err.string)
    ensure
      TaskerCore::OrchestrationManager.instance.close
      TaskerCore.configuration.database_url = nil
      ENV.delete("TASKER_DATABASE_URL")
    end

    # The same, for what has to succeed.
    def tasker!(*argv, **options)
      said = tasker(*argv, **options)
      raise "tasker #{argv.join(" ")} ended with #{said.code}:\n#{said.err}#{said.out}" unless said.code.zero?

      said
    end
  end
end
