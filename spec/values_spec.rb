# frozen_string_literal: true

require "bigdecimal"
require "date"
require "set"

RSpec.describe "Values" do
  # Values that come back as they went.
  kept = {
    "nothing" => nil,
    "truth" => [true, false],
    "small integers" => [0, 1, -1, 2**31, -2**31 - 1, (2**53) + 1, -2**53 - 1],
    "the least integer" => -2**63,
    "the greatest signed integer" => (2**63) - 1,
    "the first unsigned one" => 2**63,
    "the greatest integer" => (2**64) - 1,
    "floats" => [0.1, -2.5, 1e-7, 1.0, 1e20, 1.7976931348623157e308, 5e-324],
    "a string" => "plain",
    "no characters" => "",
    "quotes, backslashes and line ends" => "\"\\/\b\f\n\r\t\u2028\u2029</script>",
    "control characters" => (1..31).map(&:chr).join,
    "NUL in a string" => "a\u0000b",
    "characters of four bytes" => "𝄞🦀👩‍👩‍👧",
    "a string of 10,000 characters" => "é" * 10_000,
    "no elements" => [[], {}],
    "odd keys" => { "" => 1, " " => 2, "a.b" => 3, "a[0]" => 4, "\u0000" => 5, "é🦀" => 6 },
    "nesting" => { "a" => [{ "b" => [[], { "c" => nil }] }] }
  }

  # Values that are refused.
  stranger = Class.new do
    def to_s = raise("to_s was called")
    def inspect = raise("inspect was called")
    def to_json(*) = raise("to_json was called")
    def to_h = raise("to_h was called")
  end
  refused = {
    "an integer below the least" => -2**63 - 1,
    "an integer above the greatest" => 2**64,
    "NaN" => Float::NAN,
    "Infinity" => Float::INFINITY,
    "-Infinity" => -Float::INFINITY,
    "a BigDecimal" => BigDecimal("1.5"),
    "a Rational" => 1r,
    "a Complex" => 1i,
    "a Time" => Time.at(0),
    "a Date" => Date.new(2026, 1, 31),
    "a Range" => 1..2,
    "a Set" => Set[1],
    "a Struct" => Struct.new(:a).new(1),
    "a Proc" => -> { 1 },
    "a class" => String,
    "an object" => Object.new,
    "an object whose every method raises" => stranger.new,
    "a BasicObject" => BasicObject.new,
    "invalid UTF-8" => "a\xFF".dup.force_encoding(Encoding::UTF_8),
    "binary data" => "\x89PNG".b
  }

  def echo(value)
    handle.register(single { |ctx| ctx.context["value"] })
    task = handle.create_task("flow", context: { value: value })
    handle.work(until: :idle, timeout: 20)
    [task.context["value"], task.reload.context["value"], task.step(:only).result]
  end

  # The error of a step whose handler returned that.
  def error_of_result(value)
    task = run_task(single(retry_limit: 5, backoff: "none") { value })
    task.step(:only)
  end

  def refusal_of(context)
    handle.register(single { 1 })
    error = error_of { handle.create_task("flow", context: context) }
    expect(error).to be_a(TaskerCore::ValidationError)
    expect(handle.tasks.count).to eq(0)
    error
  end

  each_database do
    kept.each do |what, value|
      it "keeps #{what}" do
        expect(echo(value)).to all(eql(value))
      end
    end

    it "keeps the sign of zero" do
      expect(echo(-0.0).map { |zero| 1 / zero }).to all(eq(-Float::INFINITY))
    end

    it "makes Strings of Symbols, in keys and values" do
      expect(echo({ a: :b, "c" => [:d] })).to all(eq("a" => "b", "c" => ["d"]))
    end

    it "keeps the order of keys" do
      keys = %w[z a m 1 B]
      expect(echo(keys.to_h { |key| [key, 1] }).map(&:keys)).to all(eq(keys))
    end

    it "takes the same object twice, as long as it isn't in itself" do
      same = { "n" => 1 }
      expect(echo([same, same])).to all(eq([same, same]))
    end

    refused.each do |what, value|
      it "refuses #{what} in a context, with the path to it" do
        expect(refusal_of({ deep: [0, { here: value }] }).path).to eq("context.deep[1].here")
      end
    end

    it "refuses what isn't JSON in a result for good, with the path to it" do
      refused.each_value do |value|
        step = error_of_result({ "deep" => [0, { here: value }] })
        expect(step).to have_attributes(status: "error", attempts: 1)
        expect(step.error["message"]).to include("result.deep[1].here")
      end
    end

    it "refuses keys that are neither Strings nor Symbols" do
      [1, nil, 1.5, ["a"], stranger.new].each do |key|
        expect(refusal_of({ deep: { key => 1 } }).path).to start_with("context.deep")
      end
    end

    it "refuses invalid UTF-8 in a key" do
      expect(refusal_of({ deep: { "a\xFF" => 1 } }).path).to start_with("context.deep")
    end

    it "refuses a key that is there as a Symbol and as a String" do
      error = refusal_of({ deep: { :a => 1, "a" => 2 } })
      expect(error.path).to start_with("context.deep")
      expect(error.message).to include("a")
    end

    it "refuses a Hash that holds itself" do
      cyclic = { list: [] }
      cyclic[:list] << cyclic
      expect(refusal_of({ deep: cyclic }).path).to start_with("context.deep.list[0]")
    end

    it "refuses an Array that holds itself" do
      cyclic = []
      cyclic << cyclic
      expect(refusal_of({ deep: cyclic }).path).to start_with("context.deep[0]")
    end

    it "keeps deep nesting, refuses an abyss, and lives on" do
      deep = (1..50).inject(1) { |inner, _| [inner] }
      expect(echo(deep)).to all(eq(deep))
      abyss = (1..200_000).inject(1) { |inner, _| { "a" => inner } }
      expect { handle.create_task("flow", context: abyss) }.to raise_error(TaskerCore::ValidationError, /nested/)
      step = error_of_result([abyss])
      expect(step).to have_attributes(status: "error", attempts: 1)
    end

    it "refuses contexts and results that are too large for a database row, and says how large they may be" do
      handle.register(single { 1 })
      [{ text: "x" * (2 << 20) }, { list: Array.new(1 << 20, 1) }].each do |large|
        expect(refusal_of(large).message).to match(/MiB/)
      end
      expect(error_of_result("x" * (17 << 20)).error["message"]).to match(/MiB/)
    end

    it "refuses Strings that only look like numbers or truth where those are meant" do
      handle.register(single { 1 })
      [{ priority: "1" }, { run_at: true }, { tags: "a" }, { context: "{}" }].each do |fields|
        expect { handle.create_task("flow", **fields) }.to raise_error(TaskerCore::ValidationError)
      end
    end

    it "says what was expected and what was there" do
      fault = refusal_of({ at: Time.at(0) }).faults.first
      expect(fault).to include(:path, :message)
      expect(fault[:path]).to eq("context.at")
      expect("#{fault[:message]} #{fault[:got]}").to include("Time")
    end
  end
end
