# frozen_string_literal: true

require "pty"
require "stringio"
require "tasker_core/cli"

RSpec.describe TaskerCore::CLI do
  let(:out) { StringIO.new }
  let(:err) { StringIO.new }

  def run(*argv)
    described_class.run(argv, out: out, err: err)
  end

  def within_folder(files = {})
    Dir.mktmpdir do |folder|
      files.each { |name, text| File.write(File.join(folder, name), text) }
      Dir.chdir(folder) { yield folder }
    end
  end

  it "lists its commands, each with a line about it" do
    expect(run("help")).to eq(0)
    described_class.names.each do |name|
      summary = described_class.command(name).summary
      expect(summary).to match(/\A[A-Z][^.]{5,70}\z/), "#{name}: #{summary.inspect}"
      expect(out.string).to match(/^ +#{name} +#{Regexp.escape(summary)}$/)
    end
    out.truncate(0)
    expect(run).to eq(0)
    expect(run("--version")).to eq(0)
    expect(out.string).to include("tasker #{TaskerCore::VERSION}\n")
    expect(err.string).to be_empty
  end

  it "tells of each command how it is used, in two ways" do
    described_class.names.each do |name|
      expect([run("help", name), run(name, "--help")]).to eq([0, 0])
      first, second = out.string.split(/^Usage: /)[1..].map { |text| text.lines.first }
      expect(first).to start_with("tasker #{name} ").and eq(second)
      [out, err].each { |stream| stream.reopen(+"") }
    end
  end

  it "names what is wrong with the command line, and what is near" do
    {
      %w[wrok] => /\Atasker: there is no command "wrok" \(did you mean "work"\?\)\n/,
      %w[--versoin] => /--versoin comes after a command \(did you mean "--version"\?\)/,
      %w[work --thraeds 3] => /there is no option --thraeds \(did you mean "--threads"\?\)\n`tasker work --help`/,
      %w[work --threads many] => /invalid argument: --threads many/,
      %w[work --threads] => /missing argument: --threads/,
      ["work", "-r", "a\xFF"] => /"a\uFFFD" is no text in UTF-8/,
      %w[work now] => /"now" is one argument too many/,
      %w[work -r nowhere.rb] => /-r: there is no nowhere\.rb/,
      %w[work --database mysql:x] => /--database: .*not a database URL/
    }.each do |argv, message|
      err.reopen(+"")
      expect([run(*argv), err.string]).to match([2, message])
    end
    expect(out.string).to be_empty
  end

  it "says of a program that can't be loaded what and where, without a stack trace" do
    within_folder("bad.rb" => "\nnot_there\n", "worse.rb" => "def x(") do
      expect(run("work", "-r", "bad.rb")).to eq(2)
      expect(err.string).to match(/bad\.rb could not be loaded: NameError: .*not_there/)
      expect(err.string).to include("bad.rb:2")
      expect(err.string).not_to include("lib/tasker_core")
      expect(run("work", "-r", "worse.rb")).to eq(2)
      expect(err.string).to match(/worse\.rb could not be loaded: SyntaxError/)
      expect(run("work", "-r", ".")).to eq(2)
      expect(err.string).to include("has no config/environment.rb, as a Rails app has")
    end
  end

  it "shows where it was raised when it is asked to" do
    ENV["TASKER_DEBUG"] = "1"
    expect(run("wrok")).to eq(2)
    expect(err.string).to match(%r{lib/tasker_core/cli\.rb:\d+})
  ensure
    ENV.delete("TASKER_DEBUG")
  end

  describe TaskerCore::CLI::Terminal do
    let(:rows) { [["order", 3, nil], ["\e[31mrefund\e[0m", 12, "x"]] }

    it "aligns cells, whatever their colours" do
      described_class.new(out, err, nil).table(rows, head: %w[NAME TASKS FLAG], right: [1])
      expect(out.string.gsub(/\e\[\d+m/, "")).to eq("NAME    TASKS  FLAG\norder       3\nrefund     12  x\n")
      described_class.new(out, err, nil).table([])
    end

    def painted_on_a_terminal
      PTY.open { |_, slave| described_class.new(slave, slave, slave).paint("late", :red) }
    end

    it "has colours on a terminal, unless they are not wanted" do
      before = ENV.to_h.slice("TERM", "NO_COLOR")
      ENV.update("TERM" => "xterm", "NO_COLOR" => nil)
      expect(painted_on_a_terminal).to eq("\e[31mlate\e[0m")
      expect(described_class.new(out, err, nil).paint("late", :red)).to eq("late")
      ENV["NO_COLOR"] = "1"
      expect(painted_on_a_terminal).to eq("late")
    ensure
      ENV.update("TERM" => nil, "NO_COLOR" => nil, **before)
    end
  end
end
