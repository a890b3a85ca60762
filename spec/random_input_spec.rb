# frozen_string_literal: true

# YAML and Ruby values at random, as a file or a caller may give them. TASKER_CASES=1000000 tries a million of each; a
# seed (`rspec --seed`) repeats a run. tests/hostile does the same to what Rust reads.
RSpec.describe "Input at random" do
  cases = Integer(ENV.fetch("TASKER_CASES", "2000"))
  # What one case may take, on a busy machine, and what all of them may leave behind.
  longest = 10.0 * Support::Garbage::PATIENCE
  most_kilobytes = 200_000

  # Makes the same input for the same seed.
  let(:random) { Random.new(RSpec.configuration.seed) }

  def pick(list) = list[random.rand(list.size)]

  def resident = Integer(File.read("/proc/self/status")[/^VmRSS:\s+(\d+)/, 1])

  # Runs the block so many times, and holds each to its time and all to their memory.
  define_method(:each_case) do |&block|
    before = nil
    cases.times do |number|
      before ||= resident if number == cases / 4
      took = seconds { block.call(number) }
      expect(took).to be < longest, "case #{number} took #{took} s"
    end
    expect(resident - before).to be < most_kilobytes
  end

  template = <<~YAML
    name: flow
    namespace: &n orders
    version: "1.0.0"
    input: { type: object, properties: { n: { type: integer, default: 1 } } }
    defaults: &d
      queue: *n
      backoff: { kind: linear, base: 0.5 }
    steps:
      - name: a
        handler: TaskerCore::Testing::EchoHandler
        config: { <<: *d, text: |
          several
          lines
        }
      - name: b
        handler: TaskerCore::Testing::EchoHandler
        depends_on: [a]
        timeout: 1.5e2
        each: "a.items"
  YAML
  bits = ["\t", "\n", " ", "  - ", ": ", "? ", "- ", "&x ", "*x", "*n", "<<: *d", "!ruby/object:Object {}",
          "!!binary x", "|\n", ">-\n", "{", "}", "[", "]", ",", "'", "\"", "#", "%YAML 1.1\n",
          "---\n", "...\n", "\u0000", "\uFEFF", "\u0085",
          "\u{1F600}", "\xFF", "~", "yes", "1e999", ".inf", "0o7", "2026-01-31", ":sym", "x" * 5_000,
          "[" * 300, "{a: " * 200, "&a [*a]"].map(&:b).freeze

  def spoil(text, bits)
    random.rand(1..4).times do
      at = random.rand(text.bytesize + 1)
      text = text.byteslice(0, at) + pick(bits) + text.byteslice(at + random.rand(12), text.bytesize).to_s
    end
    text
  end

  it "is read or refused where it is YAML", limit: 60 + (cases / 100) do
    handle = TaskerCore.open("sqlite::memory:")
    Tempfile.create(["template", ".yml"]) do |file|
      each_case do
        text = spoil(template.b, bits)
        File.binwrite(file.path, text)
        handle.register(file.path)
      rescue TaskerCore::ValidationError => e
        expect(e.faults).not_to be_empty
        expect(e.message).to be_valid_encoding
      rescue StandardError, SystemStackError => e
        raise "#{e.class}: #{e.message[0, 300]} of #{text.inspect}"
      end
    end
  ensure
    handle&.close
  end

  # What has no form in JSON, or none that is sure.
  strangers = [Float::NAN, Float::INFINITY, 2**64, -(2**63) - 1, 1r, 1i, Time.at(0), Object.new, BasicObject.new,
               :symbol, "\xFF", "\xFF".b, "é".encode("UTF-16LE"), "a\0b", nil, true, 1.5, -0.0, 10**19, "x" * 20_000,
               1..2, Class, Struct.new(:a).new(1), Hash.new { raise "asked" }, ENV, $stdout, binding, -> {},
               Thread.current].freeze

  define_method(:value) do |depth|
    case random.rand(depth.positive? ? 12 : 9)
    when 0..2 then pick(strangers)
    when 3..5 then random.rand(2**64) - (2**63)
    when 6..8 then pick(["a", "", "a.b", "b c", "\u{1F600}", "__id__"])
    when 9 then Array.new(random.rand(5)) { value(depth - 1) }
    when 10 then Array.new(random.rand(5)) { [pick(["a", :b, "é", "", 1, nil, "a.b"]), value(depth - 1)] }.to_h
    else (1..random.rand(1..90)).inject(value(0)) { |inner, _| random.rand(2).zero? ? [inner] : { "d" => inner } }
    end
  end

  # JSON's own answer, where it has the same rules.
  def same?(taken, given) = JSON.generate(taken) == JSON.generate(JSON.parse(JSON.generate(given)))

  it "is taken as it is or refused where it is Ruby's", limit: 60 + (cases / 100) do
    handle = TaskerCore.open("sqlite::memory:", max_context_bytes: 100_000)
    handle.register(single { 1 })
    options = %i[context key tags priority queue run_at reason initiator on_duplicate version namespace colour]
    taken = 0
    each_case do
      given = Array.new(random.rand(1..3)) { [pick(options), value(4)] }.to_h
      given[:context] = { "v" => value(4) } if random.rand(2).zero?
      task = handle.create_task("flow", **given)
      taken += 1
      expect(same?(task.context, given[:context])).to be(true), given.inspect if plain?(given[:context])
    rescue TaskerCore::ValidationError => e
      expect(e.faults.size).to be_between(1, 20)
      expect(e.message.size).to be < 30_000
    rescue TaskerCore::NotFoundError, TaskerCore::DuplicateTaskError
      nil
    rescue StandardError, SystemStackError => e
      raise "#{e.class}: #{e.message[0, 300]} of #{given.keys}"
    end
    expect(taken).to be_positive
  ensure
    handle&.close
  end

  # Whether it has nothing in it for which JSON has rules of its own.
  def plain?(value)
    case value
    when Hash then value.all? { |key, inner| key.is_a?(String) && plain?(inner) }
    when Array then value.all? { |inner| plain?(inner) }
    when String then value.encoding == Encoding::UTF_8
    else value == true || value.is_a?(Integer)
    end
  end
end
