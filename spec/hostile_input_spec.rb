# frozen_string_literal: true

require "active_support"
require "active_support/core_ext/hash/indifferent_access"
require "active_support/core_ext/integer/time"
require "active_support/core_ext/time/zones"
require "set"

# Objects that do harm when they are asked anything. Nothing is asked of them.
RSpec.describe "Hostile input" do
  # The object, every public method of which raises from now on.
  def mined(object, with: ScriptError)
    (object.public_methods - %i[__id__ __send__ object_id instance_exec]).each do |name|
      class << object; self; end.define_method(name) { |*, **| raise with, "#{name} was called" }
    end
    object
  end

  def refusal_of(context)
    before = handle.tasks.count
    error = error_of { handle.create_task("flow", context: context) }
    expect(error).to be_a(TaskerCore::ValidationError), "#{error.class}: #{error.message}"
    expect(handle.tasks.count).to eq(before)
    error
  end

  # A value as it comes back from a context, from a config and as a result.
  def through(value)
    flow = { name: "echo", steps: [{ name: "only", config: { value: value }, handler: lambda { |ctx|
      [ctx.config["value"], ctx.context["value"], value]
    } }] }
    handle.register(flow)
    task = handle.create_task("echo", context: { value: value })
    handle.work(until: :idle, timeout: 20)
    task.step(:only).result or raise task.step(:only).error.to_s
  end

  # The path to a value that is refused, in a context, in a config and as a result.
  def refused_at(value)
    flow = ->(config) { { name: "sink", steps: [{ name: "only", config: config, handler: ->(_) { value } }] } }
    in_config = error_of { handle.register(flow.call({ value: value })) }
    in_context = error_of { handle.create_task("flow", context: { value: value }) }
    handle.register(flow.call({}))
    task = handle.create_task("sink")
    handle.work(until: :idle, timeout: 20)
    [in_config.path, in_context.path, task.step(:only).error["message"][/\Aresult[^:]*/]]
  end

  each_database do
    before { handle.register(single { 1 }) }

    it "may be a Hash, an Array or a String of another class, none of whose methods is called" do
      hash = mined(Class.new(Hash).new.merge!("a" => 1))
      array = mined(Class.new(Array).new([1]))
      text = mined(Class.new(String).new("text"))
      back = { "hash" => { "a" => 1 }, "array" => [1], "text" => "text" }
      expect(through({ hash: hash, array: array, text: text })).to eq([back] * 3)
    end

    it "may be a HashWithIndifferentAccess, and so may what it is in" do
      indifferent = { a: { b: [{ c: 1 }] } }.with_indifferent_access
      expect(through(indifferent)).to eq([{ "a" => { "b" => [{ "c" => 1 }] } }] * 3)
      expect(handle.create_task("flow", context: indifferent).context).to eq("a" => { "b" => [{ "c" => 1 }] })
      flow = { name: "indifferent", steps: [{ name: "only", handler: ->(_) { 1 } }] }.with_indifferent_access
      expect(handle.register(flow).steps).to eq(["only"])
    end

    it "may have a default, which is never asked for" do
      trap = ->(hash, key) { hash[key] = raise(ScriptError, "the default of #{key} was asked for") }
      expect(through(Hash.new(&trap).update("a" => 1))).to eq([{ "a" => 1 }] * 3)
      step = Hash.new(&trap).update(name: "only", handler: ->(_) { 1 })
      expect(handle.register(Hash.new(&trap).update(name: "trap", steps: [step])).steps).to eq(["only"])
    end

    it "may be frozen, and stays as it was" do
      frozen = { "a" => ["b", { c: "d" }] }.each_value(&:freeze).freeze
      before = Marshal.dump(frozen)
      expect(through(frozen)).to eq([{ "a" => ["b", { "c" => "d" }] }] * 3)
      expect(Marshal.dump(frozen)).to eq(before)
    end

    it "may compare its keys by identity, as long as each text is there once" do
      by_identity = {}.compare_by_identity.merge!("a" => 1, :b => 2)
      expect(through(by_identity)).to eq([{ "a" => 1, "b" => 2 }] * 3)
      by_identity[String.new("a")] = 3
      expect(refused_at(by_identity)).to eq(["steps[0].config.value", "context.value", "result"])
    end

    it "has each text once as a key, however many keys there are" do
      many = (0...500).to_h { |n| ["key #{n}", n] }
      expect(through(many)).to eq([many] * 3)
      many[:"key 77"] = "again"
      error = refusal_of(many)
      expect([error.path, error.message]).to match(["context", include('"key 77" twice')])
      expect(refusal_of({ "é" => 1, "é".encode("ISO-8859-1") => 2 }).message).to include("twice")
    end

    it "may have text in any encoding that has a form in UTF-8" do
      texts = { "ISO-8859-1" => "café", "UTF-16LE" => "日本", "UTF-16BE" => "日本", "Windows-31J" => "日本",
                "EUC-JP" => "日本", "KOI8-R" => "мир", "US-ASCII" => "plain", "BINARY" => "plain" }
      texts.each do |encoding, text|
        given = encoding == "BINARY" ? text.b : text.encode(encoding)
        expect(through({ given => given })).to eq([{ text => text }] * 3)
        task = handle.create_task("flow", key: "#{encoding} ".encode(Encoding::UTF_8) + text, tags: [given])
        expect([task.tags, task.reload.tags]).to eq([[text]] * 2)
        expect(task.tags[0].encoding).to eq(Encoding::UTF_8)
      end
    end

    it "may have Symbols with any name that Strings may have" do
      expect(through({ "a\x00b": :"c\x00d", "a\x00c": 1 })).to eq([{ "a\0b" => "c\0d", "a\0c" => 1 }] * 3)
      expect(refusal_of_option(key: :"a\x00b").path).to eq("key")
      # Ruby keeps another kind of Symbol for what is the name of a method, too.
      names = { "é" => "Windows-1252", "ß" => "ISO-8859-1" }.map { |text, encoding| text.encode(encoding).to_sym }
      Class.new { names.each { |name| define_method(name) { nil } } }
      expect(through({ names[0] => names[1] })).to eq([{ "é" => "ß" }] * 3)
    end

    it "lets nothing that interrupts its thread be lost while it is refused" do
      roomy = open_handle(database.url, max_context_bytes: 1 << 28)
      roomy.register(single { 1 })
      begun = Queue.new
      thread = Thread.new do
        long = Array.new(3_000_000, 1)
        begun << true
        error_of { roomy.create_task("flow", context: { long:, refused: Object.new }) }
        sleep
      end
      begun.pop
      thread.kill
      expect(thread.join(20)).to be(thread)
    end

    it "has no text that would have to be guessed" do
      ["\xFF\x00".b, "a\xFF", "\x81".dup.force_encoding("Windows-31J"), "\xD8\x00".dup.force_encoding("UTF-16BE"),
       "\xFF".dup.force_encoding("US-ASCII")].each do |text|
        expect(refused_at(text)).to eq(["steps[0].config.value", "context.value", "result"])
        expect(refusal_of_option(key: text).path).to eq("key")
        expect(refusal_of_option(tags: ["a", text]).path).to eq("tags[1]")
      end
    end

    it "may hold NUL in a free value, and not in what the database compares" do
      expect(through({ "a\0" => "\0" })).to eq([{ "a\0" => "\0" }] * 3)
      { key: "a\0", queue: "a\0", initiator: "\0", reason: "a\0b", tags: ["\0"], namespace: "\0", version: "1\0" }
        .each { |field, value| expect(refusal_of_option(field => value).path).to start_with(field.to_s) }
      %i[namespace name version key tag].each do |field|
        expect(error_of { handle.tasks(field => "a\0") }).to have_attributes(class: TaskerCore::ValidationError,
                                                                             path: field.to_s)
      end
    end

    it "may be an object that answers nothing, which is named by its class" do
      strangers = { "a Stranger" => stub_const("Stranger", Class.new).new, "a Struct" => Struct.new(:to_json).new(1) }
      strangers.each_value { |stranger| mined(stranger) }
      expect(refused_at(strangers["a Stranger"])).to eq(["steps[0].config.value", "context.value", "result"])
      expect(refusal_of({ value: strangers["a Stranger"] }).got).to eq("a Stranger")
      expect(refusal_of({ value: strangers["a Struct"] }).path).to eq("context.value")
    end

    it "may be nothing that only looks like JSON" do
      record = Class.new do
        def to_json(*) = raise(ScriptError, "to_json was called")
        def as_json(*) = raise(ScriptError, "as_json was called")
        def to_h = raise(ScriptError, "to_h was called")
        def to_hash = raise(ScriptError, "to_hash was called")
        def to_ary = raise(ScriptError, "to_ary was called")
        def to_str = raise(ScriptError, "to_str was called")
        def to_int = raise(ScriptError, "to_int was called")
      end
      Time.use_zone("UTC") do
        [record.new, Set[1], 1..2, Struct.new(:a).new(1), -> { 1 }, String, Kernel, 5.minutes, Time.zone.at(0),
         Object.new.method(:to_s), Thread.current, ObjectSpace::WeakMap.new, BasicObject.new].each do |value|
          expect(refused_at(value)).to eq(["steps[0].config.value", "context.value", "result"])
        end
      end
    end

    it "may be given for any option, and is refused there" do
      # Whether a run_at is a time of another library has to be asked of it.
      mined = [Object.new, {}, [1]].map { |object| mined(object, with: RuntimeError) }
      [BasicObject.new, *mined, 3.0, 2**64, Float::NAN].each do |value|
        %i[namespace version key on_duplicate queue initiator reason].each do |field|
          expect(refusal_of_option(field => value).path).to eq(field.to_s)
        end
        expect(refusal_of_option(priority: value).path).to eq("priority")
        expect(refusal_of_option(run_at: value).path).to eq("run_at")
        expect(refusal_of_option(tags: [value]).path).to eq("tags[0]")
        expect(error_of { handle.task(value) }).to be_a(TaskerCore::ValidationError)
      end
    end

    it "may have keys that can't be hashed any more" do
      key = Class.new(String).new("sly")
      hash = { key => 1 }
      mined(key)
      expect(handle.create_task("flow", context: hash).context).to eq("sly" => 1)
      stranger = Object.new
      hash = { stranger => 1 }
      mined(stranger)
      expect(error_of { handle.create_task("flow", context: hash) })
        .to have_attributes(path: "context", expected: "a String or a Symbol", got: "an Object")
    end

    it "may hold itself, even many times over" do
      array = []
      20.times { array << array }
      hash = {}
      ("a".."t").each { |key| hash[key] = hash }
      [array, hash].each do |cyclic|
        expect(refusal_of({ value: cyclic }).message).to include("nested deeper than 64 levels")
      end
    end

    it "may change while it is read, and is read as it was at one moment" do
      shared = { n: 0, m: 0 }
      rounds = 0
      changing = Thread.new do
        loop { shared.replace({ n: rounds += 1, m: rounds, **(rounds.odd? ? { extra: [rounds] * 50 } : {}) }) }
      end
      contexts = Array.new(50) { handle.create_task("flow", context: shared).context }
      expect(contexts.map { |context| context["n"] - context["m"] }.uniq).to eq([0])
      eventually { rounds > 1 }
    ensure
      changing&.kill&.join
    end
  end

  def refusal_of_option(**options)
    error = error_of { handle.create_task("flow", **options) }
    expect(error).to be_a(TaskerCore::ValidationError), "#{options.keys}: #{error.class}: #{error.message}"
    error
  end
end
