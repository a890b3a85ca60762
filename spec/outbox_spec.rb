# frozen_string_literal: true

RSpec.describe TaskerCore::Outbox do
  include Support::Application

  # What dies after its commit, before the task is made.
  let(:dying) { <<~RUBY }
    require "active_record"
    require "tasker_core"
    handle = TaskerCore.open(ENV.fetch("ENGINE"))
    ActiveRecord::Base.establish_connection(ENV["APP"] || { adapter: "sqlite3", database: ENV.fetch("APP_FILE") })
    TaskerCore::Outbox.singleton_class.define_method(:expand) { |*| Process.kill(:KILL, Process.pid) }
    ActiveRecord::Base.transaction do
      puts handle.create_task("flow", context: { n: 5 }, transactional: true).id
      $stdout.flush
    end
  RUBY

  after { disconnect_application }

  def transaction(**options, &) = order_class.transaction(**options, &)

  def create(**options) = handle.create_task("flow", transactional: true, **options)

  def entries = described_class.entries

  def connection = ActiveRecord::Base.connection

  # As somebody wrote it whose process ended then.
  def leave(text, id: SecureRandom.uuid)
    values = "'#{id}', #{connection.quote(text)}, CURRENT_TIMESTAMP"
    connection.execute("INSERT INTO tasker_outbox (id, task, created_at) VALUES (#{values})")
    id
  end

  def letter(**change)
    JSON.generate({ namespace: "default", name: "flow", version: "1.0.0", context: {}, **change })
  end

  def register
    handle.register(single { |ctx| ctx.context["n"] })
    handle.register(single("strict") { 1 }.tap { |flow| flow.input(required: ["n"]) })
  end

  # The examples for each kind of application.
  shared_examples "an outbox" do
    it "has a row in the transaction, and the task under the row's id after the commit" do
      task = nil
      transaction do
        task = create(context: { n: 1 }, key: "k", tags: ["a"], priority: 2, headers: { "tenant" => 7 })
        expect(task).to be_deferred
        expect(entries.map(&:id)).to eq([task.id])
        expect(entries.first).to have_attributes(attempts: 0, error: nil, created_at: be_within(60).of(Time.now),
                                                 task: include("name" => "flow", "context" => { "n" => 1 }))
        expect(tasks_there).to eq([])
      end
      expect(task).to be_created
      expect(entries).to eq([])
      handle.work(until: :idle, timeout: 20)
      found = handle.task(task.id)
      expect(found).to have_attributes(status: "complete", key: "k", tags: ["a"], priority: 2)
      expect(found.step(:only).result).to eq(1)
    end

    it "is emptied by a worker when whoever committed is killed" do
      program = run_program(dying, env: application.merge("ENGINE" => database.url))
      expect(program.status.termsig).to eq(9)
      id = program.lines.last
      expect([entries.map(&:id), tasks_there]).to eq([[id], []])
      worker = handle.worker(threads: 1).start
      eventually { tasks_there == [id] }
      expect(handle.task(id).wait(timeout: 20).step(:only).result).to eq(5)
      eventually { entries.empty? }
    ensure
      worker&.stop(timeout: 5)
    end

    it "is emptied once by many at once" do
      ids = Array.new(24) { |n| leave(letter(context: { n: n }, key: n.to_s)) }
      handles = [handle, open_handle, open_handle]
      made = handles.map { |own| Thread.new { described_class.relay(own) } }.map(&:value)
      expect(made.sum).to be >= 24
      expect(tasks_there).to match_array(ids)
      expect(entries).to eq([])
    end
  end

  shared_examples "an outbox in every case" do
    include_examples "an outbox"

    it "goes with rollbacks, savepoints and nested transactions" do
      lost, kept, within = nil
      transaction { (lost = create) && raise(ActiveRecord::Rollback) }
      expect([lost.dropped?, entries]).to eq([true, []])
      transaction do
        transaction(requires_new: true) { (lost = create) && raise(ActiveRecord::Rollback) }
        transaction(requires_new: true) { transaction { within = create } }
        kept = create
      end
      expect([lost.dropped?, entries]).to eq([true, []])
      expect(tasks_there).to contain_exactly(kept.id, within.id)
    end

    it "takes many, and those of no transaction" do
      ids = handle.create_tasks("flow", contexts: Array.new(120) { |n| { n: n } }, transactional: true)
      expect(tasks_there).to match_array(ids)
      expect(handle.create_tasks("flow", contexts: [], transactional: true)).to eq([])
      later = create(run_at: Time.now + 3_600)
      expect(later.reload.run_at).to be_within(60).of(Time.now + 3_600)
      TaskerCore.configuration.transactions = :outbox
      transaction { handle.create_task("flow") && expect(entries.size).to(eq(1)) }
      expect(create(key: "k", on_duplicate: :return).reload.id).to eq(create(key: "k", on_duplicate: :return).reload.id)
    ensure
      TaskerCore.configuration.transactions = :after_commit
    end

    it "is not stopped by bad rows, which say what is wrong" do
      create(key: "k")
      bad = { "not JSON" => "can't be read", letter(name: "flew") => "flew", letter(colour: 1) => "colour",
              letter(name: "strict") => '"n"', letter(key: "k") => "\"k\"" }
      bad = bad.transform_keys { |text| leave(text) }
      good = [leave(letter(tags: ["z"])), leave(letter)]
      described_class.relay(handle)
      expect(tasks_there.size).to eq(3)
      expect(tasks_there).to include(*good)
      found = entries.to_h { |entry| [entry.id, entry] }
      expect(found.keys).to match_array(bad.keys)
      bad.each { |id, error| expect(found[id]).to have_attributes(attempts: 1, error: include(error)) }
      # They are left alone for a while.
      described_class.relay(handle)
      expect(entries.map(&:attempts)).to all(eq(1))
    end

    it "has what becomes possible later" do
      id = leave(letter(name: "later"))
      described_class.relay(handle)
      handle.register(single("later") { 1 })
      connection.execute("UPDATE tasker_outbox SET due_at = '2001-01-01'")
      expect(described_class.relay(handle)).to eq(1)
      expect(handle.task(id).name).to eq("later")
    end
  end

  each_database do
    context "with an application on SQLite" do
      let(:application) { { "APP_FILE" => "#{@application_folder}/app.sqlite3" } }

      before do
        connect_application
        described_class.create_table(ActiveRecord::Base.connection)
        described_class.create_table(ActiveRecord::Base.connection)
        register
      end

      include_examples metadata[:database] == "sqlite" ? "an outbox in every case" : "an outbox"

      it "keeps a row while the engine's database is away" do
        task = transaction { create.tap { arm(:creating, :panic) } }
        expect(faults_over?).to be(true)
        expect([task.status, entries.map(&:id), tasks_there]).to eq(["written", [task.id], []])
        expect(described_class.relay(handle)).to eq(1)
        expect(task.reload.id).to eq(task.id)
      end

      it "wants a table, and the database of the transaction" do
        connect_second_database
        parcel = Support::Application::Parcel
        expect(error_of { parcel.transaction { create } }.message).to include("Outbox.record_class")
        described_class.record_class = Support::Application::OtherRecord
        expect(error_of { parcel.transaction { create } }.message).to include("no table tasker_outbox")
        described_class.create_table(parcel.connection)
        expect(parcel.transaction { create }).to be_created
      ensure
        described_class.record_class = nil
      end
    end
  end

  on_postgres do
    context "with an application in the engine's database" do
      let(:application) { { "APP" => database.url } }

      before do
        handle
        connect_application(database.url)
        register
      end

      include_examples "an outbox in every case"

      it "is read by the engine itself, one by one where PostgreSQL refuses a row" do
        bad = leave(letter(tags: ["\0"]))
        good = leave(letter)
        handle.work(until: :idle, timeout: 20)
        expect(tasks_there).to eq([good])
        expect(entries.map(&:id)).to eq([bad])
        expect(entries.first.error).not_to be_nil
      end

      it "is the application's own in another database" do
        table = described_class::Table.new(ActiveRecord::Base.connection)
        expect(table.shared_with?(handle.native)).to be(true)
        expect(table.shared_with?(TaskerCore.open("sqlite::memory:").native)).to be(false)
      end
    end
  end
end
