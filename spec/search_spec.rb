# frozen_string_literal: true

require "time"

RSpec.describe "Searching tasks" do
  flow = { name: "order", namespace: "shop", search: ["order_id", "customer.name", "paid", "note"],
           input: { properties: { paid: { default: false } } }, steps: [{ name: "only" }] }.freeze

  each_database do
    def register(template, on = handle)
      on.register(template, handlers: { only: ->(_) { 1 } })
    end

    def create(context, **options)
      handle.create_task("order", namespace: "shop", context: context, **options)
    end

    def found(**filter)
      list = handle.tasks(**filter)
      ids = list.map(&:id)
      expect(list.count).to eq(ids.size)
      ids
    end

    it "finds what the template declares searchable, by value" do
      register(flow)
      seven = create({ order_id: 7, customer: { name: "Ada" } })
      text = create({ order_id: "7", customer: { name: "Ada", id: 1 }, paid: true })
      null = create({ order_id: nil, customer: "Ada" })
      none = create({})
      { { order_id: 7 } => [seven], { "order_id" => 7.0 } => [seven], { order_id: "7" } => [text],
        { order_id: nil } => [null], { order_id: 8 } => [], { paid: false } => [none, null, seven],
        { "customer.name" => "Ada" } => [text, seven], { customer: { name: :Ada } } => [text, seven],
        { order_id: 7, customer: { name: "Ada" }, paid: false } => [seven], { order_id: 7, paid: true } => [],
        {} => [none, null, text, seven] }.each do |context, tasks|
        expect(found(context: context)).to eq(tasks.map(&:id)), context.inspect
      end
    end

    it "finds values of any length and form" do
      register(flow)
      values = ["", " ", "é\u{1F600}", "\u0000", "'\"\\", "x" * 5000, "x" * 5001, 1e300, 0.1, (2**64) - 1, -(2**63),
                true]
      tasks = values.map { |value| create({ note: value }) }
      values.zip(tasks).each { |value, task| expect(found(context: { note: value })).to eq([task.id]) }
    end

    it "finds the longest tags and types of annotations" do
      register(flow)
      tag = "\u{1F600}" * 512
      type = "\u{1F600}" * 128
      task = create({}, tags: [tag, "b"])
      task.annotate(type, 1)
      expect([found(tag: tag), found(tag: "b", annotation: type)]).to all(eq([task.id]))
    end

    it "goes with all other conditions, page after page" do
      register(flow)
      ids = handle.create_tasks("order", namespace: "shop", contexts: Array.new(250) { |n| { order_id: n % 2 } },
                                         tags: ["import"])
      create({ order_id: 0 }).annotate("seen", 1)
      evens = ids.each_slice(2).map(&:first).reverse
      expect(found(context: { order_id: 0 }, tag: "import", status: :pending, namespace: "shop", name: "order"))
        .to eq(evens)
      expect(handle.tasks(context: { order_id: 0 }, tag: "import").first(3).map(&:id)).to eq(evens.first(3))
      expect(found(context: { order_id: 0 }, annotation: "seen").size).to eq(1)
      expect(found(context: { order_id: 0 }, status: :error)).to eq([])
    end

    it "refuses a path that nobody declared, with the nearest, before anything is read" do
      register(flow)
      register({ **flow, name: "other", search: "invoice" })
      error = error_of { handle.tasks(context: { ordr_id: 1, invoice: 2, order_id: 3 }) }
      expect(error).to be_a(TaskerCore::ValidationError)
      expect(error.faults.map { |fault| fault[:path] }).to eq(["context.ordr_id"])
      expect(error.message).to include('did you mean "order_id"')
      expect { handle.tasks(context: { invoice: 2 }, name: "order").to_a }
        .to raise_error(TaskerCore::ValidationError, /invoice.*there are: customer.name, note, order_id, paid/)
      expect(found(context: { invoice: 2 }, name: "other")).to eq([])
    end

    it "knows what other processes declared, and earlier registrations" do
      register(flow)
      task = create({ order_id: 7 })
      register({ **flow, search: ["note"] })
      other = open_handle
      expect(other.tasks(context: { order_id: 7 }).map(&:id)).to eq([task.id])
      expect { open_handle.tasks(context: { nothing: 7 }) }.to raise_error(TaskerCore::ValidationError, /nothing/)
      expect(create({ order_id: 8 }) && found(context: { order_id: 8 })).to eq([])
    end

    it "refuses a context that has no plain value there, and stores nothing" do
      register(flow)
      error = error_of { create({ order_id: [7], customer: { name: { first: "Ada" } } }) }
      expect(error).to be_a(TaskerCore::ValidationError)
      expect(error.faults.map { |fault| fault[:path] }).to eq(["context.order_id", "context.customer.name"])
      expect([count("tasker_tasks"), count("tasker_task_terms")]).to eq([0, 0])
    end

    it "refuses conditions that can't be meant, each at its path" do
      register(flow)
      { { context: [] } => "context", { context: { order_id: [1] } } => "context.order_id",
        { context: { customer: {} } } => "context.customer", { context: { order_id: Object } } => "context.order_id",
        { created_after: "yesterday" } => "created_after", { finished_before: 5 } => "finished_before",
        { annotation: 5 } => "annotation", { annotatoin: "x" } => "annotatoin" }.each do |filter, path|
        error = error_of { handle.tasks(**filter) }
        expect(error).to be_a(TaskerCore::ValidationError), "#{filter}: #{error.inspect}"
        expect(error.path).to eq(path)
      end
    end

    it "refuses paths that are none, and too many" do
      { ["a..b"] => "search[0]", ["a", "items[0]"] => "search[1]", %w[a a] => "search[1]", [""] => "search[0]",
        ["x" * 257] => "search[0]", [1] => "search[0]", 7 => "search",
        Array.new(33) { |n| "p#{n}" } => "search" }.each do |search, path|
        error = error_of { register({ **flow, search: search }) }
        expect(error).to be_a(TaskerCore::ValidationError), "#{search}: #{error.inspect}"
        expect(error.path).to eq(path)
      end
    end

    it "finds tasks by when they were created and when they ended" do
      require "tasker_core/testing"
      register(flow)
      TaskerCore::Testing.cleanup(handle) do
        moments = Array.new(3) do |n|
          create({ order_id: n })
          handle.work(until: :idle, timeout: 20)
          TaskerCore::Testing.advance_time(handle, 3600, force: true)
        end
        all = found.map { |id| handle.task(id).context["order_id"] }
        expect(all).to eq([2, 1, 0])
        ids = found
        expect(found(created_after: moments[0])).to eq(ids.first(2))
        expect(found(created_before: moments[0])).to eq([ids[2]])
        expect(found(created_after: moments[0], created_before: moments[1].iso8601(6))).to eq([ids[1]])
        expect(found(finished_after: moments[1])).to eq([ids[0]])
        expect(found(finished_after: moments[0], finished_before: moments[1], context: { order_id: 1 })).to eq([ids[1]])
        expect(found(finished_before: handle.task(ids[2]).finished_at)).to eq([])
        expect(found(created_after: handle.task(ids[0]).created_at)).to eq([ids[0]])
      end
    end

    it "leads operations on many tasks" do
      register(flow)
      ids = handle.create_tasks("order", namespace: "shop", contexts: [{ order_id: 7 }, { order_id: 8 }])
      expect(handle.cancel_tasks(context: { order_id: 8 }, created_before: Time.now + 60).task_ids).to eq([ids[1]])
      expect { handle.cancel_tasks(context: { nothing: 8 }) }.to raise_error(TaskerCore::ValidationError, /nothing/)
      expect(ids.map { |id| handle.task(id).status }).to eq(%w[pending cancelled])
    end

    it "forgets what was deleted" do
      register(flow)
      create({ order_id: 7 }, tags: ["x"]).annotate("note", 1)
      handle.work(until: :idle, timeout: 20)
      handle.purge(finished_before: Time.now + 60)
      expect(%w[tasker_tasks tasker_task_terms tasker_task_annotations].map { |table| count(table) }).to eq([0, 0, 0])
    end
  end
end

RSpec.describe "Annotations" do
  each_database do
    let(:task) do
      handle.register(single { 1 })
      handle.create_task("flow")
    end

    it "are kept in their order, of tasks that ended too" do
      first = task.annotate("fraud_check", { score: 0.5, hits: [] }, by: "Ada")
      handle.work(until: :idle, timeout: 20)
      task.annotate(:note, nil)
      task.reload.annotate("note", "late")
      expect(first).to be_frozen.and have_attributes(task_id: task.id, type: "fraud_check", by: "Ada",
                                                     value: { "score" => 0.5, "hits" => [] })
      expect(first.at).to be_utc.and be_within(60).of(Time.now)
      expect(task.annotations.map { |note| [note.type, note.value, note.by] })
        .to eq([["fraud_check", { "score" => 0.5, "hits" => [] }, "Ada"], ["note", nil, nil], ["note", "late", nil]])
      expect(task.annotations.first).to eq(first)
      expect(task.annotations(type: :note).map(&:value)).to eq([nil, "late"])
      expect(task.annotations(type: "other")).to eq([])
      expect(handle.tasks(annotation: "note").map(&:id)).to eq([task.id])
      expect(handle.tasks(annotation: "other").count).to eq(0)
    end

    it "are snapshots like the others" do
      note = task.annotate("note", { a: 1 }, by: "Ada")
      expect(note.to_h).to eq(task_id: task.id, type: "note", value: { "a" => 1 }, by: "Ada", at: note.at)
      expect(note.to_h.keys).to eq(TaskerCore::Annotation::FIELDS)
      expect(JSON.parse(note.to_json)).to eq(note.as_json)
      expect(Marshal.load(Marshal.dump(note)).to_h).to eq(note.to_h)
      expect(note.inspect).to match(/\A#<TaskerCore::Annotation note by Ada at .*Z>\z/)
      expect(note.value["a"]).to eq(1)
      case note
      in { type: "note", by: } then expect(by).to eq("Ada")
      end
    end

    it "are refused with the place of what is wrong" do
      { ["", 1] => "type", ["a/b", 1] => "type", [5, 1] => "type", ["a", { x: Object }] => "value.x",
        ["a", Float::NAN] => "value" }.each do |arguments, path|
        expect { task.annotate(*arguments) }
          .to raise_error(TaskerCore::ValidationError) { |e| expect(e.path).to eq(path), e.message }
      end
      expect { task.annotate("a", 1, by: "") }.to raise_error(TaskerCore::ValidationError) { |e|
                                                    expect(e.path).to eq("by")
                                                  }
      expect { task.annotations(type: 7) }.to raise_error(TaskerCore::ValidationError) { |e|
                                                expect(e.path).to eq("type")
                                              }
      expect(task.annotations).to eq([])
    end

    it "are not found where there is no task any more" do
      task
      handle.work(until: :idle, timeout: 20)
      handle.purge(finished_before: Time.now + 60)
      expect { task.annotate("a", 1) }.to raise_error(TaskerCore::NotFoundError)
      expect { task.annotations }.to raise_error(TaskerCore::NotFoundError)
    end

    it "are all kept, though many threads make them at once" do
      task
      threads = Array.new(8) { |n| Thread.new { 10.times { |m| task.annotate("note", [n, m]) } } }
      threads.each(&:join)
      expect(task.annotations.map(&:value)).to match_array([*0...8].product([*0...10]))
    end
  end
end
