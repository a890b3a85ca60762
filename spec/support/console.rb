# frozen_string_literal: true

require "json"
require "open3"
require "rbconfig"
require "shellwords"
require "timeout"

module Support
  # Runs what documentation shows of a console, and compares it with what is said there. `…` stands for any part of a
  # line, and alone for any lines. Ids, moments and spans stand for those that there are: the first id of a page is
  # the first one that the commands said, and so on.
  class Console
    # Loads the engine once and forks for each command: a command of its own takes three times as long.
    NURSERY = <<~RUBY
      require "json"
      require "tasker_core"
      require "tasker_core/cli"
      $stdout.sync = true
      while (line = $stdin.gets)
        argv, said = JSON.parse(line)
        child = fork do
          $stdout.reopen(said, "w")
          $stderr.reopen($stdout)
          [$stdout, $stderr].each { |stream| stream.sync = true }
          $stdin.reopen(File::NULL)
          exit TaskerCore::CLI.run(argv)
        end
        puts Process.wait2(child).last.exitstatus
      end
    RUBY
    ID = /\h{8}-\h{4}-\h{4}-\h{4}-\h{12}/
    TIME = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/
    SPAN = /\d+(?:\.\d+)? (?:ms|s|m|h|d)\b(?: \d+ [mhs]\b)?/
    ENVIRONMENT = { "TASKER_DATABASE_URL" => nil, "LANG" => "C.UTF-8" }.freeze
    private_constant :NURSERY, :ID, :TIME, :SPAN, :ENVIRONMENT

    # A command and what it says.
    Shown = Struct.new(:line, :command, :said)

    # @return [Array<Shown>] what a page shows
    def self.shown(text)
      number = 0
      inside = false
      text.lines(chomp: true).each_with_object([]) do |line, found|
        number += 1
        next inside = line == "```console" if line.start_with?("```")
        next unless inside

        line.start_with?("$ ") ? found << Shown.new(number, line[2..], []) : found.last.said << line
      end
    end

    def initialize(folder)
      @folder = folder
      command = [RbConfig.ruby, "-I#{ROOT}/lib", "-e", NURSERY]
      @input, @output, = Open3.popen2(ENVIRONMENT, *command, chdir: folder)
      @code = 0
      @ids = {}
    end

    # @param shown [Shown]
    # @return [Array(String, Regexp)] what it said, and what it should have
    def run(shown)
      words = Shellwords.split(with_ids(shown.command))
      said = answer(words)
      meet(shown.said.join("\n").scan(ID), said.scan(ID))
      [plain(said), pattern(shown.said)]
    end

    def close
      @input.close
      @output.close
      @background&.each do |pid|
        Process.kill("TERM", pid)
        Process.wait(pid)
      end
    end

    private

    def answer(words)
      return "#{@code}\n" if words == %w[echo $?]
      return start(words[0..-2]) if words.last == "&"

      case words.first
      when "tasker" then tasker(words)
      when "ruby" then ruby(*words.drop(1))
      when "rspec" then ruby("-rrspec/core", "-e", "exit RSpec::Core::Runner.run(ARGV)", "--", *words.drop(1))
      else raise "nobody knows #{words.first} here"
      end
    end

    def ruby(*arguments)
      said, status = Open3.capture2e(ENVIRONMENT, RbConfig.ruby, "-I#{ROOT}/lib", *arguments, chdir: @folder)
      @code = status.exitstatus
      said
    end

    # A command that stays until the page ends.
    def start(words)
      raise "#{words.first} is not tasker" unless words.first == "tasker"

      command = [RbConfig.ruby, "-I#{ROOT}/lib", "#{ROOT}/exe/tasker", *words.drop(1)]
      (@background ||= []) << Process.spawn(ENVIRONMENT, *command, chdir: @folder, %i[out err] => File::NULL)
      ""
    end

    def tasker(words)
      file = File.join(@folder, ".said")
      @input.puts(JSON.generate([words.drop(1), file]))
      @code = Integer(@output.gets)
      File.read(file)
    end

    # Ids that are new, in their order.
    def meet(shown, real)
      new = shown.uniq - @ids.keys
      new.zip(real.uniq - @ids.values).each { |id, found| @ids[id] = found }
    end

    def with_ids(text) = text.gsub(ID) { |id| @ids.fetch(id, id) }

    def plain(text) = text.gsub(TIME, "TIME").gsub(SPAN, "SPAN").gsub(/ +/, " ").gsub(/ $/, "")

    def pattern(lines)
      parts = lines.map do |line|
        next "(?:.*\n)*?" if line == "…"

        "#{plain(with_ids(line)).split("…", -1).map { |part| Regexp.escape(part) }.join(".*")}\n"
      end
      /\A#{parts.join}\z/
    end
  end
end
