# frozen_string_literal: true

require "pty"
require "stringio"
require "tasker_core/cli"
require "tasker_core/cli/moments"
require "tasker_core/cli/progress"

RSpec.describe TaskerCore::CLI::Progress do
  def on_a_terminal(rows: 10, columns: 40)
    PTY.open do |master, slave|
      slave.winsize = [rows, columns]
      reading = Thread.new { all_of(master) }
      yield TaskerCore::CLI::Terminal.new(slave, slave, slave)
      slave.close
      return reading.value
    end
  end

  def all_of(stream)
    text = +""
    loop { text << stream.readpartial(10_000) }
  rescue Errno::EIO, EOFError
    text.force_encoding(Encoding::UTF_8)
  end

  it "draws a bar over itself, no wider than the terminal" do
    said = on_a_terminal do |terminal|
      progress = described_class.new(terminal)
      progress.show(["#{described_class.bar(0.5)} one", "two"], "plain")
      progress.show(["x" * 60], "plain")
      progress.wipe
    end
    expect(said.split("\r\n")).to eq ["[##############--------------] one", "two", "\e[2A\e[J#{"x" * 38}…", "\e[1A\e[J"]
  end

  it "says a line now and then where there is no terminal" do
    now = 100.0
    allow(TaskerCore::Waiting).to receive(:monotonic) { now }
    err = StringIO.new
    progress = described_class.new(TaskerCore::CLI::Terminal.new(StringIO.new, err, nil))
    progress.show([], "soon")
    progress.show([], "first", now: true)
    progress.show([], "first", now: true)
    now += 6
    progress.show([], "later")
    progress.show([], "last")
    expect(err.string).to eq "first\nlater\n"
  end

  it "is never longer than a bar" do
    expect([-1, 0, 0.49, 1, 7].map { |part| described_class.bar(part).count("#") }).to eq [0, 0, 13, 28, 28]
  end

  describe TaskerCore::CLI::Moments do
    it "says spans as people do" do
      spans = { nil => "-", 0.0001 => "0.1 ms", 0.0234 => "23 ms", 1.26 => "1.3 s", 59.9 => "59.9 s", 61 => "1 m 1 s",
                7_260 => "2 h 1 m", 90_000 => "1 d 1 h" }
      expect(spans.keys.map { |span| described_class.shown(span) }).to eq spans.values
    end

    it "reads moments and spans" do
      expect(described_class.past("2h", "--since")).to be_within(2).of(Time.now - 7_200)
      expect(described_class.past("2026-01-31", "--since")).to eq Time.utc(2026, 1, 31)
      expect(described_class.past("2026-01-31T12:00:00+01:00", "--since")).to eq Time.utc(2026, 1, 31, 11)
      expect(%w[90s 1.5m 2h 3].map { |text| described_class.span(text, "--wait") }).to eq [90.0, 90.0, 7_200.0, 3.0]
      expect do
        described_class.span("-3", "--wait")
      end.to raise_error(TaskerCore::CLI::UsageError, /--wait: "-3" is no span/)
    end
  end
end
