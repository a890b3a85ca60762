# frozen_string_literal: true

RSpec.describe "What is wrong with an input" do
  # Every fault as [path, expected, got].
  def faults_of(&)
    error = error_of(&)
    expect(error).to be_a(TaskerCore::ValidationError), "#{error.class}: #{error.message}"
    expect(error.faults).to be_frozen.and all(be_frozen)
    expect(error.faults.map { |fault| fault[:message] }).to all(match(/\S{2}/))
    error.faults.map { |fault| fault.values_at(:path, :expected, :got) }
  end

  def paths_of(&) = faults_of(&).map(&:first)

  each_database do
    before { handle.register(single { 1 }) }

    describe "when a task is created" do
      it "is told all at once, in the order of the fields" do
        found = faults_of do
          handle.create_task("flow", run_at: true, tags: ["a", 3], priority: 1.5, key: ["k"], on_duplicate: :retrun)
        end
        expect(found).to eq([["key", "a String", "an Array"],
                             ["on_duplicate", "raise, return", '"retrun"'],
                             ["priority", "an Integer", "1.5"],
                             ["run_at", 'a Time, or a String such as "2026-01-31T12:00:00Z"', "true"],
                             ["tags[1]", "a String", "3"]])
        expect(handle.tasks.count).to eq(0)
      end

      it "is told of types, of rules and of unknown keys together" do
        found = faults_of do
          handle.create_task("flow", initator: "me", priority: 40_000, key: "", run_at: 7, tags: ["fine", "", nil],
                                     queue: "a/b", reason: "r" * 1_025)
        end
        expect(found.map(&:first)).to eq(%w[key priority queue run_at tags[1] tags[2] reason initator])
        expect(found).to include(["key", "1 to 512 characters", "0"], ["priority", "-32767 to 32767", "40000"],
                                 ["reason", "1 to 1024 characters", "1025"])
        expect(found.last).to match(["initator", include("initiator"), '"initator"'])
      end

      it "is told of every value in the context that has no JSON form" do
        context = { at: Time.at(0), deep: [1, { nan: Float::NAN, 7 => 1 }], "at" => 1, fine: "yes" }
        expect(paths_of { handle.create_task("flow", context: context, key: 1) })
          .to eq(%w[context.at context.deep[1].nan context.deep[1] context key])
      end

      it "is not told that a wrong value breaks a rule too" do
        expect(faults_of { handle.create_task("flow", tags: "red", key: nil, context: Time.at(0)) })
          .to match([["context", include("Hash"), "a Time"], ["tags", "an Array", '"red"']])
      end

      it "is told of the name before anything is looked for" do
        expect(paths_of { handle.create_task("a/b", namespace: "n" * 129, version: "1\0", tags: ["t"] * 101) })
          .to eq(%w[name namespace version tags])
      end

      it "is told of as many as anyone would read, and that there may be more" do
        error = error_of { handle.create_task("flow", tags: Array.new(100, 1), key: 1) }
        expect(error.faults.size).to eq(20)
        expect(error.message).to end_with("there may be more faults than these")
        error = error_of { handle.create_task("flow", context: { list: Array.new(100, Time.at(0)) }) }
        expect(error.faults.size).to eq(20)
        expect(error.faults.last[:path]).to eq("context.list[19]")
        [{ tags: [""] * 100 }, { key: 1, context: { list: Array.new(100, Time.at(0)) } }].each do |options|
          error = error_of { handle.create_task("flow", **options) }
          expect(error.faults.size).to eq(20)
          expect(error.message).to end_with("there may be more faults than these")
        end
        expect(paths_of { handle.create_tasks("flow", contexts: [1] * 1_000) }.last).to eq("contexts[19]")
      end
    end

    it "is told of all contexts and keys" do
      found = faults_of do
        handle.create_tasks("flow", contexts: [{}, 3, { at: 1r }], keys: ["a", "", nil], prioritty: 1)
      end
      expect(found.map(&:first)).to eq(%w[contexts[1] contexts[2].at keys[1] prioritty])
      expect(faults_of { handle.create_tasks("flow", contexts: [{}], keys: %w[a b], queue: "") })
        .to eq([%w[keys 1 2], ["queue", "1 to 128 characters", "0"]])
      expect(handle.tasks.count).to eq(0)
    end

    it "is told of all contexts that break the schema" do
      handle.register(workflow("strict") do
        input type: "object", required: ["n"], properties: { n: { type: "integer" } }
        step(:only) { 1 }
      end)
      expect(paths_of { handle.create_tasks("strict", contexts: [{ n: "a" }, { n: 1 }, {}]) })
        .to eq(%w[contexts[0].n contexts[2]])
      expect(handle.tasks.count).to eq(0)
    end

    it "is told of a template's types, rules and handlers together" do
      found = faults_of do
        handle.register({ name: "flow2", version: "one", input: 3, steps: [
                          { name: "a", retry_limit: "3", handler: ->(_) { 1 } },
                          { name: "b", retry_limt: 2, backoff: { kind: "lin", base: "x" }, handler: ->(_) { 1 } },
                          { name: "c", timeout: -1, queue: 7, handler: 42 }
                        ] })
      end
      expect(found.map(&:first)).to eq(%w[version input steps[0].retry_limit steps[1].retry_limt steps[1].backoff.kind
                                          steps[1].backoff.base steps[2].queue steps[2].timeout steps[2].handler])
      expect(found).to include(["steps[0].retry_limit", "an Integer", '"3"'],
                               ["steps[1].backoff.kind", "none, linear, exponential", '"lin"'])
    end

    it "is not told of edges that may be right once the names are" do
      steps = [{ name: 1 }, { name: "b", depends_on: ["a"] }, { name: "c", depends_on: %w[b], "name" => "d" }]
      handlers = { "1" => ->(_) { 1 }, "b" => ->(_) { 1 }, "c" => ->(_) { 1 } }
      expect(paths_of { handle.register({ name: "flow2", steps: steps }, handlers: handlers) })
        .to eq(%w[steps[0].name steps[2].name])
    end

    it "is told of a list's filter before it is read" do
      found = faults_of { handle.tasks(status: %i[done complet], key: "a\0", limit: 0, before: "x", nmae: "y") }
      expect(found.map(&:first)).to eq(%w[status key before limit nmae])
      expect(found.last).to match(["nmae", include("name"), '"nmae"'])
    end

    it "is told of a worker's options" do
      expect(paths_of { handle.worker(threads: 0, queues: ["fine", "a/b", ""]) })
        .to eq(%w[threads queues[1] queues[2]])
    end

    it "is told of JSON text in the same places" do
      [
        { "name" => "flow", "priority" => 1.5, "tags" => [1, ""], "contxt" => {}, "key" => "" },
        { "namespace" => nil, "context" => [1], "queue" => "a/b", "on_duplicate" => "retrun" },
        { "name" => "flow", "run_at" => "soon", "initiator" => "", "reason" => 3 }
      ].each do |input|
        by_text = paths_of { handle.create_task_json(JSON.generate(input)) }
        name = input.delete("name")
        typed = paths_of { handle.create_task(name, **input.transform_keys(&:to_sym)) }
        expect(by_text).to eq(typed)
      end
      ["", "[]", "7", "{\"name\"", "{\"name\": \"flow\"} {}"].each do |text|
        expect(paths_of { handle.create_task_json(text) }).to eq([""])
      end
      expect(handle.tasks.count).to eq(0)
    end
  end

  it "is told of all options of a handle" do
    found = faults_of do
      TaskerCore.open("sqlite::memory:", ttl: 0, pool: 1_001, lease: 1e300, max_depth: 101, max_context_bytes: 0,
                                         max_result_bytes: "16 MiB")
    end
    expect(found.map(&:first)).to eq(%w[ttl pool lease max_depth max_context_bytes max_result_bytes])
    expect(found).to include(["max_depth", "1 to 100", "101"], ["max_context_bytes", "1 to 268435456", "0"])
  end
end
