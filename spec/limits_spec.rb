# frozen_string_literal: true

RSpec.describe "Limits" do
  # An Array in an Array, so many deep.
  def nested(levels) = (1..levels).inject(1) { |inner, _| [inner] }

  # A context of exactly so many bytes of JSON: {"t":"xxx"}.
  def context_of(bytes) = { t: "x" * (bytes - '{"t":""}'.bytesize) }

  def faults_of(&)
    error = error_of(&)
    expect(error).to be_a(TaskerCore::ValidationError), "#{error.class}: #{error.message}"
    error.faults
  end

  def open_with(**limits)
    open_handle(**limits).tap { |handle| handle.register(single { |ctx| nested(ctx.context["levels"] || 1) }) }
  end

  # The step of a task whose handler returned that many levels.
  def step_of(handle, levels)
    task = handle.create_task("flow", context: { levels: levels })
    handle.work(until: :idle, timeout: 20)
    task.step(:only)
  end

  each_database do
    it "are generous unless something else is said" do
      handle.register(single { 1 })
      expect(handle.create_task("flow", context: { list: nested(63) }).context["list"]).to eq(nested(63))
      expect(faults_of { handle.create_task("flow", context: { list: nested(64) }) })
        .to match([a_hash_including(path: "context.list#{"[0]" * 63}", expected: "at most 64 levels")])
      handle.create_task("flow", context: context_of(1 << 20))
      expect(faults_of { handle.create_task("flow", context: context_of((1 << 20) + 1)) })
        .to match([a_hash_including(expected: "at most 1 MiB", message: include("keep large data elsewhere"))])
      expect(handle.tasks.count).to eq(2)
    end

    it "hold at the last level and refuse the next, in contexts, configs and results" do
      limited = open_with(max_depth: 3)
      expect(limited.create_task("flow", context: { a: nested(2) }).context).to eq("a" => [[1]])
      expect(faults_of { limited.create_task("flow", context: { a: nested(3) }) })
        .to match([a_hash_including(path: "context.a[0][0]", expected: "at most 3 levels")])
      steps = ->(levels) { [{ name: "a", config: { a: nested(levels) }, handler: ->(_) { 1 } }] }
      limited.register({ name: "configured", steps: steps.call(2) })
      expect(faults_of { limited.register({ name: "configured", steps: steps.call(3) }) })
        .to match([a_hash_including(path: "steps[0].config.a[0][0]")])
      expect(step_of(limited, 3).result).to eq(nested(3))
      expect(step_of(limited, 4).error["message"]).to include("result[0][0][0]", "3 levels")
    end

    it "hold at the last byte and refuse the next, in contexts and results" do
      limited = open_handle(max_context_bytes: 100, max_result_bytes: 50)
      limited.register(single { |ctx| "x" * ctx.context["size"] })
      expect(limited.create_task("flow", context: context_of(100)).context["t"].size).to eq(92)
      expect(faults_of { limited.create_task("flow", context: context_of(101)) })
        .to match([a_hash_including(expected: "at most 100 bytes")])
      results = [48, 49].map { |size| limited.create_task("flow", context: { size: size, t: "" }) }
      limited.work(until: :idle, timeout: 20)
      expect(results.map { |task| task.reload.status }).to eq(%w[complete error])
      expect(results[1].step(:only).error["message"]).to include("50 bytes")
    end

    it "can be raised as far as they go" do
      wide = open_with(max_depth: 100, max_context_bytes: 3 << 20)
      expect(wide.create_task("flow", context: { a: nested(99) }).reload.context["a"]).to eq(nested(99))
      expect(wide.create_task("flow", context: context_of(3 << 20)).reload.context["t"].size).to be > 3_000_000
      expect(step_of(wide, 100).result).to eq(nested(100))
    end

    it "count a text's bytes and not its characters" do
      limited = open_handle(max_context_bytes: 30)
      limited.register(single { 1 })
      expect(limited.create_task("flow", context: { t: "é" * 11 }).context).to eq("t" => "é" * 11)
      expect(faults_of { limited.create_task("flow", context: { t: "é" * 12 }) }.size).to eq(1)
    end

    it "count the bytes of the JSON and not those of another encoding" do
      limited = open_handle(max_context_bytes: 100)
      limited.register(single { 1 })
      %w[UTF-16LE UTF-32BE].each do |encoding|
        expect(limited.create_task("flow", context: { t: ("x" * 92).encode(encoding) }).context).to eq("t" => "x" * 92)
        expect(faults_of { limited.create_task("flow", context: { t: ("x" * 93).encode(encoding) }) }.size).to eq(1)
      end
    end

    it "are the handle's own, and go on with it when it is refreshed" do
      limited = open_with(max_depth: 2)
      fresh = limited.refresh
      handles << fresh
      handle.register(single { 1 })
      [limited, fresh].each do |one|
        expect(faults_of { one.create_task("flow", context: { a: [[1]] }) })
          .to match([a_hash_including(expected: "at most 2 levels")])
      end
      expect(handle.create_task("flow", context: { a: [[1]] }).context).to eq("a" => [[1]])
    end

    it "hold for JSON text too" do
      limited = open_handle(max_depth: 3, max_context_bytes: 40)
      limited.register(single { 1 })
      text = ->(context) { JSON.generate({ name: "flow", context: context }) }
      expect(limited.create_task_json(text.call({ a: nested(2) })).context).to eq("a" => [[1]])
      expect(limited.create_task_json(text.call(context_of(40))).context["t"].size).to eq(32)
      [{ a: nested(3) }, context_of(41)].each do |context|
        by_text = faults_of { limited.create_task_json(text.call(context)) }
        typed = faults_of { limited.create_task("flow", context: context) }
        expect(by_text.map { |fault| fault.values_at(:message, :expected) })
          .to eq(typed.map { |fault| fault.values_at(:message, :expected) })
      end
      expect(limited.tasks.count).to eq(2)
    end
  end

  it "of the default handle are those of the configuration" do
    outcome = ask_program(<<~RUBY)
      TaskerCore.configure do |c|
        c.database_url = "sqlite::memory:"
        c.max_depth = 2
        c.max_context_bytes = 20
      end
      TaskerCore.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { 1 } })
      said = [{ a: [[1]] }, { a: "x" * 20 }].map do |context|
        TaskerCore.create_task("flow", context: context) && "taken"
      rescue TaskerCore::ValidationError => e
        e.expected
      end
      puts JSON.generate(said)
    RUBY
    expect(outcome).to eq(["at most 2 levels", "at most 20 bytes"])
  end

  { max_depth: [0, 101, 1.5, "64"], max_context_bytes: [0, (256 << 20) + 1, -1], max_result_bytes: [0, "1 MiB"] }
    .each do |name, senseless|
      it "refuse a senseless #{name}" do
        senseless.each do |value|
          error = error_of { TaskerCore.open("sqlite::memory:", name => value) }
          expect([error.class, error.path]).to eq([TaskerCore::ValidationError, name.to_s])
          error = error_of { TaskerCore::Configuration.new.public_send("#{name}=", value) }
          expect(error).to be_a(TaskerCore::ConfigurationError)
          expect(error.message).to include(name.to_s)
        end
      end
    end
end
