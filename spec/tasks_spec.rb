# frozen_string_literal: true

RSpec.describe TaskerCore::Task do
  uuid_v7 = /\A\h{8}-\h{4}-7\h{3}-[89ab]\h{3}-\h{12}\z/

  each_database do
    before do
      handle.register(workflow do
        step(:a, &:context)
        step(:b, depends_on: :a) { 2 }
      end)
    end

    it "take the template's name as the first argument only" do
      handle.register(single { 1 })
      expect { handle.create_task("single", name: "other") }
        .to raise_error(TaskerCore::ValidationError) { |error| expect(error.path).to eq("name") }
      expect(handle.tasks.count).to eq(0)
    end

    def create(**options) = handle.create_task("flow", **options)

    describe "creation" do
      it "gives a pending task with the defaults" do
        before = Time.now
        task = create
        expect(task).to have_attributes(
          id: match(uuid_v7), namespace: "default", name: "flow", version: "1.0.0", status: "pending", context: {},
          key: nil, priority: 0, queue: "default", tags: [], initiator: nil, reason: nil, run_at: nil,
          started_at: nil, finished_at: nil, error: nil
        )
        expect(task.created_at).to be_utc.and be_within(10).of(before)
      end

      it "keeps every field that was given" do
        due = Time.utc(2099, 1, 2, 3, 4, 5.25r)
        task = create(context: { a: 1 }, key: "k", priority: -7, queue: "slow", run_at: due, tags: %w[red blue],
                      initiator: "Ada", reason: "because")
        expected = { context: { "a" => 1 }, key: "k", priority: -7, queue: "slow", run_at: due, tags: %w[red blue],
                     initiator: "Ada", reason: "because" }
        expect(task).to have_attributes(expected)
        expect(handle.task(task.id)).to have_attributes(expected)
      end

      it "takes the name and the words as Symbols too" do
        task = handle.create_task(:flow, namespace: :default, key: :k, queue: :slow, tags: %i[red], initiator: :ada)
        expect(task).to have_attributes(name: "flow", key: "k", queue: "slow", tags: ["red"], initiator: "ada")
      end

      it "takes a moment as a Time of any zone or as text" do
        expect(create(run_at: Time.new(2099, 1, 1, 12, 0, 0, "+02:00")).run_at).to eq(Time.utc(2099, 1, 1, 10))
        expect(create(run_at: "2099-01-01T12:00:00Z").run_at).to eq(Time.utc(2099, 1, 1, 12))
        expect(error_of do
                 create(run_at: "tomorrow")
               end).to have_attributes(class: TaskerCore::ValidationError, path: "run_at")
      end

      it "gives back the context as plain frozen data with String keys" do
        context = create(context: { order: { items: [{ sku: :tea }] } }).context
        expect(context).to eq("order" => { "items" => [{ "sku" => "tea" }] })
        expect(context).to be_frozen
        expect(context["order"]["items"]).to be_frozen
        expect(context["order"]["items"][0]["sku"]).to be_frozen
      end

      it "leaves what it was given as it was" do
        context = { order: { id: 1 } }
        create(context: context)
        expect(context).to eq(order: { id: 1 })
        expect(context).not_to be_frozen
      end

      it "refuses a keyword that there isn't, and names the nearest" do
        expect(error_of { create(contxt: {}) }.message).to include("contxt")
      end

      it "gives ids that sort by time" do
        ids = Array.new(20) { create.id }
        expect(ids.sort).to eq(ids)
      end

      it "refuses what a field can't be, with its path" do
        { key: "", priority: 40_000, queue: "a/b", tags: [""], context: [1] }.each do |field, value|
          error = error_of { create(field => value) }
          expect(error).to be_a(TaskerCore::ValidationError)
          expect(error.path).to start_with(field.to_s)
        end
        expect(handle.tasks.count).to eq(0)
      end

      it "takes nothing for something else" do
        { key: 1, priority: "high", run_at: 1.5, queue: 3, tags: "red", reason: [] }.each do |field, value|
          expect { create(field => value) }.to raise_error(TaskerCore::ValidationError, /#{field}/)
        end
      end
    end

    describe "keys" do
      it "make a second task with the same key an error that names the first" do
        first = create(key: "order-7")
        error = error_of { create(key: "order-7") }
        expect(error).to be_a(TaskerCore::DuplicateTaskError)
        expect(error.existing_id).to eq(first.id)
        expect(error.message).to include("order-7", first.id)
        expect(handle.tasks.count).to eq(1)
      end

      it "give the first task back where that is asked for" do
        first = create(key: "order-7", context: { n: 1 })
        second = create(key: "order-7", context: { n: 2 }, on_duplicate: :return)
        expect(second).to have_attributes(id: first.id, context: { "n" => 1 })
        expect(handle.tasks.count).to eq(1)
      end

      it "belong to a template" do
        handle.register(single("other") { 1 })
        create(key: "k")
        expect(handle.create_task("other", key: "k")).to have_attributes(key: "k")
      end

      it "are taken once, whoever asks at the same time" do
        ids = Array.new(8) { Thread.new { create(key: "race", on_duplicate: :return).id } }.map(&:value)
        expect(ids.uniq.size).to eq(1)
        expect(handle.tasks.count).to eq(1)
      end

      it "refuse another answer than raise and return" do
        expect { create(key: "k", on_duplicate: :retrun) }
          .to raise_error(TaskerCore::ValidationError, /on_duplicate.*return/m)
      end
    end

    describe "creation from 16 threads at once" do
      # What each thread gets of its creations, by their names.
      def outcomes(number)
        attempts = {
          own: -> { create(context: { n: number }, tags: ["own"]) },
          many: -> { handle.create_tasks("flow", contexts: [{ n: number }, { n: -number }]) },
          shared: -> { create(key: "shared", context: { n: number }) },
          refused: -> { handle.create_task("flow", keyy: "k") },
          returned: -> { create(key: "shared", on_duplicate: :return) },
          undone: -> { handle.create_tasks("flow", contexts: [{}, {}], keys: ["u#{number}", "first"]) },
          keyed: -> { create(key: "u#{number}", context: { n: number }) }
        }
        attempts.transform_values do |attempt|
          attempt.call
        rescue TaskerCore::Error, ArgumentError => e
          e
        end
      end

      it "gives each thread its own task, its own error or the task that has the key", limit: 120 do
        first = create(key: "first")
        ready = Queue.new
        threads = Array.new(16) { |n| Thread.new { ready.pop && outcomes(n + 1) } }
        16.times { ready << true }
        got = threads.map(&:value)

        expect(got.map { |of| of[:own].context["n"] }).to eq([*1..16])
        expect(got.map { |of| of[:many].map { |id| handle.task(id).context["n"] } }).to eq((1..16).map { |n| [n, -n] })
        winners, losers = got.map { |of| of[:shared] }.partition { |one| one.is_a?(TaskerCore::Task) }
        expect([winners.size, losers.size]).to eq([1, 15])
        expect(losers).to all(be_a(TaskerCore::DuplicateTaskError).and(have_attributes(existing_id: winners[0].id)))
        expect(got.map { |of| of[:refused] }).to all(be_a(TaskerCore::ValidationError).or(be_a(ArgumentError)))
        expect(got.map { |of| of[:returned].id }.uniq).to eq([winners[0].id])
        expect(got.map { |of| of[:undone] })
          .to all(be_a(TaskerCore::DuplicateTaskError).and(have_attributes(existing_id: first.id)))
        expect(got.map { |of| of[:keyed].key }).to eq((1..16).map { |n| "u#{n}" })
        expect(handle.tasks.count).to eq(1 + 16 + 32 + 1 + 16)
      end
    end

    describe "creation in bulk" do
      it "gives the ids in the order of the contexts" do
        ids = handle.create_tasks("flow", contexts: Array.new(250) { |n| { n: n } })
        expect(ids.map { |id| handle.task(id).context["n"] }.first(20)).to eq((0...20).to_a)
        expect(ids.uniq.size).to eq(250)
        expect(handle.tasks.count).to eq(250)
      end

      it "creates all or nothing" do
        error = error_of { handle.create_tasks("flow", contexts: [{ n: 1 }, "two", { n: 3 }]) }
        expect(error).to have_attributes(class: TaskerCore::ValidationError, path: "contexts[1]")
        expect(handle.tasks.count).to eq(0)
      end

      it "creates nothing when one of the keys is taken" do
        first = create(key: "b")
        error = error_of { handle.create_tasks("flow", contexts: [{}, {}], keys: %w[a b]) }
        expect(error).to have_attributes(class: TaskerCore::DuplicateTaskError, existing_id: first.id)
        expect(handle.tasks.count).to eq(1)
      end

      it "creates nothing when two of the keys are the same, and names no task that never was" do
        error = error_of { handle.create_tasks("flow", contexts: [{}, {}, {}, {}], keys: ["a", nil, "b", "a"]) }
        expect(error).to have_attributes(class: TaskerCore::DuplicateTaskError, existing_id: nil, key: "a")
        expect(error.message).to include('contexts[0] and contexts[3] have the same key, "a"', "on_duplicate: return")
        expect(handle.tasks.count).to eq(0)
        first = create(key: "a")
        error = error_of { handle.create_tasks("flow", contexts: [{}, {}], keys: %w[a a]) }
        expect(error).to have_attributes(class: TaskerCore::DuplicateTaskError, existing_id: first.id, key: "a")
      end

      it "gives the ids of tasks that are there already" do
        first = create(key: "b")
        ids = handle.create_tasks("flow", contexts: [{}, {}], keys: %w[a b], on_duplicate: :return)
        expect(ids[1]).to eq(first.id)
        expect(handle.tasks.count).to eq(2)
      end

      it "wants as many keys as contexts" do
        expect { handle.create_tasks("flow", contexts: [{}, {}], keys: ["a"]) }
          .to raise_error(TaskerCore::ValidationError, /keys/)
      end

      it "creates nothing of nothing" do
        expect(handle.create_tasks("flow", contexts: [])).to eq([])
      end
    end

    describe "run_at" do
      it "keeps the task back until then" do
        later = create(run_at: Time.now + 3600)
        soon = create(run_at: Time.now + 0.4)
        handle.worker(threads: 1).start
        eventually { soon.reload.complete? }
        expect(soon.reload.started_at).to be >= soon.run_at
        expect(later.reload.status).to eq("pending")
      end

      it "doesn't hold up work(until: :idle)" do
        create(run_at: Time.now + 3600)
        expect(seconds { handle.work(until: :idle, timeout: 20) }).to be < 5
      end
    end

    describe "finding" do
      it "finds a task by its id" do
        task = create(context: { n: 1 })
        expect(handle.task(task.id)).to eq(task)
      end

      it "says when there is none" do
        id = "0190a6e2-7c1b-7000-8000-000000000000"
        expect { handle.task(id) }.to raise_error(TaskerCore::NotFoundError, /#{id}/)
      end

      it "says when that is no id" do
        ["", "7", "not-an-id", nil, 7].each do |wrong|
          expect { handle.task(wrong) }.to raise_error(TaskerCore::ValidationError)
        end
      end

      it "filters by status, as a Symbol, String or Array" do
        done = create
        handle.work(until: :idle, timeout: 20)
        waiting = create
        expect(handle.tasks(status: :complete).map(&:id)).to eq([done.id])
        expect(handle.tasks(status: "pending").map(&:id)).to eq([waiting.id])
        expect(handle.tasks(status: [:complete, "pending"]).map(&:id)).to contain_exactly(done.id, waiting.id)
        expect(handle.tasks(status: %w[error cancelled]).to_a).to eq([])
      end

      it "filters by namespace, name, version, key and tag" do
        handle.register(workflow("other") do
          namespace "far"
          version "2.0.0"
          step(:a) { 1 }
        end)
        create
        other = handle.create_task("other", namespace: "far", key: "k", tags: %w[red blue])
        [{ namespace: "far" }, { name: "other" }, { name: "other", version: "2.0.0" }, { key: "k" }, { tag: "blue" },
         { namespace: :far, name: :other, status: :pending }].each do |filter|
          expect(handle.tasks(**filter).map(&:id)).to eq([other.id])
        end
        expect(handle.tasks(namespace: "nowhere").to_a).to eq([])
      end

      it "refuses a status or a filter that there isn't, and names the nearest" do
        expect { handle.tasks(status: :completed).to_a }.to raise_error(TaskerCore::ValidationError, /complete/)
        expect(error_of { handle.tasks(stauts: :complete).to_a }.message).to include("stauts")
      end

      it "lists every task once, over many pages, newest first" do
        ids = handle.create_tasks("flow", contexts: Array.new(257) { {} })
        expect(handle.tasks.map(&:id)).to eq(ids.reverse)
      end

      it "counts without listing, and gives the first" do
        ids = handle.create_tasks("flow", contexts: Array.new(120) { {} })
        tasks = handle.tasks(name: "flow")
        expect(tasks.count).to eq(120)
        expect(tasks.count { |task| task.id == ids[0] }).to eq(1)
        expect(tasks.first.id).to eq(ids.last)
        expect(tasks.first(3).map(&:id)).to eq(ids.last(3).reverse)
        expect(handle.tasks(status: :error).first).to be_nil
      end

      it "is a lazy Enumerable that looks when it is asked" do
        tasks = handle.tasks
        expect(tasks).to be_a(Enumerable)
        expect(tasks.to_a).to eq([])
        task = create
        expect(tasks.to_a).to eq([task])
        expect(tasks.each).to be_an(Enumerator)
        expect(tasks.lazy.map(&:id).first(1)).to eq([task.id])
      end
    end

    describe "snapshots" do
      it "are frozen and don't change; reload gives a new one" do
        task = create
        handle.work(until: :idle, timeout: 20)
        expect(task).to be_frozen
        expect(task.status).to eq("pending")
        expect(task.reload).to have_attributes(id: task.id, status: "complete")
        expect(task.steps).to all(be_frozen)
      end

      it "are equal when all their fields are" do
        task = create
        expect(handle.task(task.id)).to eq(task)
        expect(handle.task(task.id)).to eql(task)
        expect({ task => 1 }[handle.task(task.id)]).to eq(1)
        handle.work(until: :idle, timeout: 20)
        expect(task.reload).not_to eq(task)
        expect(task.reload.step(:a)).to eq(task.reload.steps.first)
        expect(task.step(:a)).not_to eq(task.step(:b))
      end

      it "answer what they are by predicates" do
        task = create
        expect([task.pending?, task.complete?, task.error?, task.ended?]).to eq([true, false, false, false])
        handle.work(until: :idle, timeout: 20)
        task = task.reload
        expect([task.pending?, task.complete?, task.error?, task.ended?]).to eq([false, true, false, true])
        expect(task.step(:a).complete?).to be(true)
      end

      it "turn into a Hash with Symbol keys, in which free JSON has String keys" do
        hash = create(context: { a: { b: 1 } }, key: "k").to_h
        expect(hash).to include(status: "pending", key: "k", context: { "a" => { "b" => 1 } })
        expect(hash.keys).to all(be_a(Symbol))
        expect(create.step(:b).to_h).to include(name: "b", depends_on: ["a"], status: "pending", result: nil)
      end

      it "match patterns" do
        task = create(context: { order: 7 })
        handle.work(until: :idle, timeout: 20)
        case task.reload
        in { status: "complete", name: "flow", context: context }
          expect(context).to eq("order" => 7)
        end
        expect(task.step(:b).deconstruct_keys(%i[name status])).to include(name: "b", status: "complete")
      end

      it "show themselves in one short line" do
        task = create(context: { words: "long " * 500 })
        [task, task.step(:a), handle].each do |object|
          expect(object.inspect.lines.size).to eq(1)
          expect(object.inspect.length).to be < 200
        end
        expect(task.inspect).to include(task.id, "flow", "pending")
      end

      it "can be duplicated and marshalled" do
        task = create(context: { a: 1 })
        expect([task.dup, task.clone]).to eq([task, task])
        expect(Marshal.load(Marshal.dump(task)).to_h).to eq(task.to_h)
      end

      it "know their steps in the order of the template" do
        task = create
        expect(task.steps.map(&:name)).to eq(%w[a b])
        expect(task.step("b")).to have_attributes(
          id: "#{task.id}/b", task_id: task.id, depends_on: ["a"], attempts: 0, result: nil, error: nil, config: {},
          queue: "default", priority: 0, started_at: nil, finished_at: nil, next_retry_at: nil, status: "pending"
        )
      end

      it "name the nearest step when there is none of that name" do
        handle.register(workflow("pay") { %i[charge ship].each { |name| step(name) { 1 } } })
        task = handle.create_task("pay")
        expect { task.step(:chrage) }.to raise_error(TaskerCore::NotFoundError, /chrage.*charge/)
      end

      it "tell a null result from none" do
        task = run_task(workflow("null") { step(:nothing) { nil } })
        expect(task.step(:nothing)).to have_attributes(result: nil, complete?: true)
      end

      it "tell when a task and its steps began and ended, in UTC" do
        task = create
        handle.work(until: :idle, timeout: 20)
        task = task.reload
        step = task.step(:b)
        times = [task.created_at, task.started_at, step.started_at, step.finished_at, task.finished_at]
        expect(times).to all(be_utc)
        expect(times.sort).to eq(times)
      end

      it "tell the history, from which the present follows" do
        task = create
        handle.work(until: :idle, timeout: 20)
        moves = task.history.map { |move| move.to_h.values_at(:step_name, :from, :to) }
        expect(moves.select { |step, _, _| step.nil? })
          .to eq([[nil, nil, "pending"], [nil, "pending", "in_progress"], [nil, "in_progress", "complete"]])
        expect(moves.select { |step, _, _| step == "a" })
          .to eq([["a", nil, "pending"], %w[a pending in_progress], %w[a in_progress complete]])
      end
    end
  end
end
