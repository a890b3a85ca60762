# frozen_string_literal: true

require "objspace"

# Snapshots hold memory of Rust's, and no Ruby value.
RSpec.describe "Memory" do
  on_sqlite do
    before do
      handle.register(workflow do
        step(:a, &:context)
        step(:b, depends_on: :a) { 2 }
      end)
    end

    # What a program begins with that does the same in a process of its own.
    program = <<~RUBY
      handle = TaskerCore.open(ENV["URL"])
      steps = [{ name: "a", handler: :context.to_proc }, { name: "b", depends_on: "a", handler: ->(_ctx) { 2 } }]
      handle.register({ name: "flow", steps: steps })
    RUBY

    def task_of(bytes)
      handle.create_task("flow", context: { text: "x" * bytes })
    end

    def weight(object) = ObjectSpace.memsize_of(object)

    it "of a task is what memsize_of says" do
      small, large = [1_000, 100_000].map { |bytes| task_of(bytes) }
      expect(weight(large) - weight(small)).to eq(99_000)
      expect(weight(small)).to be_between(1_100, 1_600)
      tagged = handle.create_task("flow", context: { text: "x" * 1_000 }, tags: Array.new(10) { |n| n.to_s * 100 },
                                          key: "k" * 200)
      expect(weight(tagged) - weight(small)).to be_between(1_200, 1_500)
    end

    it "of a task that several steps share is counted once among them" do
      task = task_of(100_000)
      expect(task.steps.sum { |step| weight(step) }).to be_between(100_000, 103_000)
      handle.work(until: :idle, timeout: 20)
      first = task.step(:a)
      expect(weight(first)).to be > 100_000
    end

    it "of a history is that of its texts" do
      task = task_of(100)
      expect(weight(task.history.first)).to be_between(80, 1_000)
    end

    # In a process of its own: a collection takes as long as there are objects, and this one has those of all specs.
    it "survives a garbage collection at every allocation" do
      expect(ask_program(<<~RUBY)).to be(true)
        #{program}
        wide = (0..40).to_h { |n| ["k\#{n}", n] }
        task = handle.create_task("flow", context: { list: [{ a: "b" * 30 }] * 3, wide: wide })
        handle.work(until: :idle, timeout: 20)
        objects = [task.reload, task.step(:a), task.history.last, handle.info]
        expected = objects.map { |object| [object.to_h, object.as_json, object.inspect] }
        GC.stress = true
        seen = objects.map { |object| [object.to_h, object.as_json, object.inspect] }
        GC.stress = false
        puts JSON.generate(seen == expected)
      RUBY
    end

    # The names of Symbols that stand in a program's text are kept from one context to the next.
    it "is right where the names of Symbols have been moved" do
      context = { moved_key_one: :moved_value_one, moved_key_two: :moved_value_two, moved_key_three: :moved_value_three,
                  moved_key_four: [:moved_value_four, { moved_key_five: :moved_value_five }] }
      expected = JSON.parse(JSON.generate(context))
      5.times do
        expect(handle.create_task("flow", context: context).context).to eq(expected)
        # What stood there is written over, and what is left is moved together.
        Array.new(20_000) { |n| "spoilt #{n}" }
        more = RUBY_VERSION < "3.2" ? :double_heap : :expand_heap
        GC.verify_compaction_references(more => true, toward: :empty)
      end
    end

    it "survives compaction, by hand and by itself" do
      expect(ask_program(<<~RUBY)).to eq("by hand" => true, "by itself" => true, "the same Strings" => true)
        #{program}
        task = handle.create_task("flow", context: { text: "x" * 10 })
        expected = task.to_h
        names = [task.status.object_id, task.name.object_id]
        by_hand = Array.new(20) do
          GC.compact
          task.reload.to_h
        end
        GC.auto_compact = true
        by_itself = Array.new(50) do
          GC.start
          task.reload.to_h
        end
        GC.auto_compact = false
        puts JSON.generate("by hand" => by_hand.all?(expected), "by itself" => by_itself.all?(expected),
                           "the same Strings" => [task.status.object_id, task.name.object_id] == names)
      RUBY
    end

    it "is right where every object has been moved" do
      outcome = run_program(<<~RUBY)
        handle = TaskerCore.open("sqlite::memory:")
        handle.register({ name: "flow", steps: [{ name: "a", handler: ->(_) {} }] })
        task = handle.create_task("flow", context: { list: [{ a: 1 }, { a: 2 }] })
        before = [task.to_h, handle.info.to_h]
        more = RUBY_VERSION < "3.2" ? :double_heap : :expand_heap
        GC.verify_compaction_references(toward: :empty, more => true)
        puts JSON.generate([[task.to_h, handle.info.to_h] == before, task.reload.context["list"].last["a"]])
      RUBY
      expect([outcome.json, outcome.status.success?]).to eq([[true, 2], true])
    end

    it "is given back: what thousands of large tasks held doesn't pile up" do
      task = task_of(400_000)
      resident = -> { File.read("/proc/self/statm").split[1].to_i * 4_096 }
      5.times { task.reload }
      before = resident.call
      1_500.times { task.reload }
      expect((resident.call - before) >> 20).to be < 200
    end

    it "is given back when only another thread had the task" do
      ids = handle.create_tasks("flow", contexts: Array.new(50) { |n| { n: n } })
      sums = Array.new(4) do
        Thread.new { 10.times.sum { ids.sum { |id| handle.task(id).context["n"] }.tap { GC.start(full_mark: false) } } }
      end
      expect(sums.map(&:value)).to all(eq(10 * 49 * 25))
      alive = ObjectSpace.each_object(TaskerCore::Task).count
      GC.start
      expect(alive).to be < 2_000
    end
  end
end
