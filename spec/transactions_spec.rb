# frozen_string_literal: true

RSpec.describe "A task that is created in a transaction of ActiveRecord" do
  include Support::Application

  each_database do
    before do
      connect_application
      handle.register(single { |ctx| ctx.context["n"] })
    end

    after do
      disconnect_application
      TaskerCore.configuration.transactions = :after_commit
    end

    def transaction(**options, &) = order_class.transaction(**options, &)

    def create(**options) = handle.create_task("flow", **options)

    it "waits for the commit, and has its id before" do
      task = nil
      context = { n: 1 }
      transaction do
        task = create(context: context, tags: ["a"], priority: 3)
        context[:n] = 2
        order_class.create!(task_id: task.id)
        expect(task).to have_attributes(status: "deferred", deferred?: true, name: "flow", version: "1.0.0",
                                        priority: 3, tags: ["a"], queue: "default", context: { "n" => 1 })
        expect(task.inspect).to eq("#<TaskerCore::DeferredTask #{task.id} default/flow 1.0.0 deferred>")
        expect(error_of { task.reload }.message).to include("waits for the transaction")
        expect(error_of { task.wait(timeout: 5) }).to be_a(TaskerCore::NotFoundError)
        expect(tasks_there).to eq([])
      end
      expect(task).to be_created.and have_attributes(deferred?: false)
      handle.work(until: :idle, timeout: 20)
      expect(handle.task(order_class.first.task_id).step(:only).result).to eq(1)
      expect(task.reload.id).to eq(task.id)
      expect(task.history).not_to be_empty
    end

    it "is the JSON of its fields, whoever asks, with ActiveSupport or without" do
      task = nil
      transaction { task = create(context: { n: 1 }, run_at: Time.utc(2030), tags: ["a"]) }
      plain = { "id" => task.id, "namespace" => "default", "name" => "flow", "version" => "1.0.0",
                "status" => "created", "context" => { "n" => 1 }, "key" => nil, "priority" => 0, "queue" => "default",
                "tags" => ["a"], "initiator" => nil, "reason" => nil, "run_at" => "2030-01-01T00:00:00.000000Z" }
      expect(task.as_json).to eq(plain)
      expect(task.as_json.keys).to eq(task.to_h.keys.map(&:name))
      expect(task.as_json(only: %i[id status])).to eq("id" => task.id, "status" => "created")
      expect([JSON.parse(task.to_json), JSON.parse(JSON.generate([task])).first]).to all(eq(plain))
      require "active_support/json"
      expect(JSON.parse(ActiveSupport::JSON.encode({ task: task }))).to eq("task" => plain)
      expect(JSON.parse(task.to_json(except: :context))).to eq(plain.except("context"))
    end

    it "takes what a task does, by hand too, once it is there" do
      handle.register(single("flaky", retryable: false) { |ctx| ctx.context["n"] || raise("none") })
      asked = { retry: [], restart_from: [:only], resolve: [] }
      task = nil
      transaction do
        task = handle.create_task("flaky")
        asked.each do |operation, given|
          expect(error_of { task.public_send(operation, *given) }.message).to include("waits for the transaction")
        end
      end
      handle.work(until: :idle, timeout: 20)
      expect(task.retry(by: "ann")).to be_in_progress
      handle.work(until: :idle, timeout: 20)
      expect(task.restart_from(:only, reason: "again")).to be_in_progress
      expect(task.resolve(reason: "done elsewhere")).to be_resolved_manually
    end

    it "is dropped by a rollback" do
      task = nil
      transaction { (task = create) && raise(ActiveRecord::Rollback) }
      expect(task).to be_dropped
      expect(error_of { task.reload }.message).to include("rolled back")
      expect(error_of { transaction { create && raise("no") } }.message).to eq("no")
      expect(tasks_there).to eq([])
    end

    it "goes with its savepoint, and with the transaction around that" do
      kept, lost, within = nil
      transaction do
        kept = create
        transaction(requires_new: true) { (lost = create) && raise(ActiveRecord::Rollback) }
        expect(lost).to be_dropped
        transaction(requires_new: true) { transaction { within = create } }
        expect(within).to be_deferred
        expect(tasks_there).to eq([])
      end
      expect(tasks_there).to contain_exactly(kept.id, within.id)
      transaction do
        transaction(requires_new: true) { lost = create }
        raise ActiveRecord::Rollback
      end
      expect(lost).to be_dropped
      expect(tasks_there.size).to eq(2)
    end

    it "is refused at once when something is wrong with it" do
      handle.register(single("strict") { 1 }.tap { |flow| flow.input(required: ["n"]) })
      transaction do
        expect(error_of { create(contxt: {}) }.message).to include('did you mean "context"')
        expect(error_of { handle.create_task("strict") }).to be_a(TaskerCore::ValidationError)
        expect(error_of { handle.create_task("flaw") }).to be_a(TaskerCore::NotFoundError)
        expect(error_of { create(transactional: 1) }.message).to include("transactional: is true, false or nil")
        faults = error_of { handle.create_tasks("strict", contexts: [{ n: 1 }, {}]) }.faults
        expect(faults.map { |fault| fault[:path] }).to eq(["contexts[1]"])
      end
      expect(tasks_there).to eq([])
    end

    it "is one of many" do
      ids = nil
      transaction do
        ids = handle.create_tasks("flow", contexts: [{ n: 1 }, { n: 2 }])
        expect(handle.create_tasks("flow", contexts: [])).to eq([])
        expect(tasks_there).to eq([])
      end
      expect(tasks_there).to match_array(ids)
      transaction { handle.create_tasks("flow", contexts: [{}]) && raise(ActiveRecord::Rollback) }
      expect(tasks_there.size).to eq(2)
    end

    it "waits for those of several databases" do
      connect_second_database
      both = ->(&block) { transaction { Support::Application::Parcel.transaction(&block) } }
      first = nil
      both.call { first = create }
      expect(tasks_there).to eq([first.id])
      transaction do
        Support::Application::Parcel.transaction { (first = create) && raise(ActiveRecord::Rollback) }
        expect(first).to be_dropped
      end
      transaction do
        Support::Application::Parcel.transaction { first = create }
        raise ActiveRecord::Rollback
      end
      expect(first).to be_dropped
      expect(tasks_there.size).to eq(1)
    end

    it "is there at once where the settings or the call say so, or refused" do
      TaskerCore.configuration.transactions = :raise
      transaction do
        expect(error_of { create }).to be_a(TaskerCore::OpenTransactionError)
        expect(create(transactional: false)).to be_pending
      end
      expect(create.deferred?).to be(false)
      TaskerCore.configuration.transactions = :immediate
      transaction { create && raise(ActiveRecord::Rollback) }
      expect(tasks_there.size).to eq(3)
      expect(error_of { TaskerCore.configuration.transactions = :later }).to be_a(TaskerCore::ConfigurationError)
    end

    it "can't be written into a transaction without ActiveRecord" do
      TaskerCore::OrchestrationHandle.transactions = nil
      expect(error_of { create(transactional: true) }.message).to include("ActiveRecord, which is not loaded")
      expect(error_of { handle.create_tasks("flow", contexts: [{}], transactional: true) })
        .to be_a(TaskerCore::ConfigurationError)
      expect(create(transactional: false)).to be_pending
      expect(handle.create_tasks("flow", contexts: [{}], transactional: nil).size).to eq(1)
      expect(tasks_there.size).to eq(2)
    end

    it "waits for no transaction but its thread's, nor for one that fixtures are in" do
      transaction { Thread.new { expect(create).to be_pending }.join }
      transaction(joinable: false) do
        expect(create).to be_pending
        task = nil
        transaction(requires_new: true) { expect(task = create).to be_deferred }
        expect(task).to be_created
        raise ActiveRecord::Rollback
      end
      expect(tasks_there.size).to eq(3)
    end

    # The transaction is committed then.
    it "tells of a failure after the commit, and stops no other" do
      create(key: "k")
      failed, fine = nil
      error = error_of do
        transaction do
          failed = create(key: "k")
          fine = create(key: "l")
          order_class.create!
        end
      end
      expect(error).to be_a(TaskerCore::DuplicateTaskError)
      expect([failed.status, fine.status]).to eq(%w[failed created])
      expect(order_class.count).to eq(1)
      again = transaction { create(key: "k", on_duplicate: :return) }
      expect(again.reload.key).to eq("k")
    end

    it "is created though another record's callback raises" do
      noisy = Class.new(order_class) { after_commit { raise "after" } }
      task = nil
      error_of do
        transaction do
          noisy.create!
          task = create
        end
      end
      expect(task).to be_created
    end

    it "is created though a record's callback raises that stands behind it" do
      noisy = Class.new(order_class) { after_commit { raise "after" } }
      task = nil
      error = error_of { transaction { (task = create) && noisy.create! } }
      expect([error.message, task.status]).to eq(%w[after created])
    end

    it "tells of each failure after the commit: raises one, reports the others" do
      create(key: "k")
      told = []
      TaskerCore.configuration.on_error = ->(error) { told << error.class }
      failed = []
      error = error_of { transaction { 2.times { failed << create(key: "k") } } }
      expect([error.class, *told]).to eq([TaskerCore::DuplicateTaskError] * 2)
      expect(failed.map(&:status)).to eq(%w[failed failed])
    ensure
      TaskerCore.configuration.on_error = nil
    end

    # Rails 7.2 and later, and an application without it is as before.
    context "where Rails says that all callbacks are over" do
      around do |example|
        place = ActiveRecord.singleton_class
        before = place.instance_method(:after_all_transactions_commit) if ActiveRecord.respond_to?(announcement)
        blocks = @blocks = []
        ActiveRecord.define_singleton_method(announcement) { |&block| blocks << block }
        example.run
      ensure
        place.remove_method(announcement)
        place.define_method(announcement, before) if before
      end

      def announcement = :after_all_transactions_commit

      it "raises a failure then, and leaves out no record's callback" do
        create(key: "k")
        called = false
        record = Class.new(order_class) { after_commit { called = true } }
        failed = nil
        transaction { (failed = create(key: "k")) && record.create! }
        expect([failed.status, called]).to eq(["failed", true])
        expect(@blocks.map { |block| error_of(&block).class }).to eq([TaskerCore::DuplicateTaskError])
        expect(@blocks.map(&:call)).to eq([nil])
      end

      it "reports a failure where that was never said" do
        create(key: "k")
        told = []
        TaskerCore.configuration.on_error = ->(error) { told << error.class }
        noisy = Class.new(order_class) { after_commit { raise "after" } }
        expect(error_of { transaction { create(key: "k") && noisy.create! } }.message).to eq("after")
        task = transaction { create }
        expect([told, task.status]).to eq([[TaskerCore::DuplicateTaskError], "created"])
        expect(@blocks.map(&:call)).to eq([nil, nil])
      ensure
        TaskerCore.configuration.on_error = nil
      end
    end
  end
end
