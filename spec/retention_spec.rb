# frozen_string_literal: true

RSpec.describe "Old tasks" do
  each_database do
    def long_ago
      postgres? ? "now() - interval '1 hour'" : ((Time.now.to_i - 3600) * 1_000_000).to_s
    end

    # As if they had ended an hour ago.
    def age(*ids)
      named = ids.map { |id| postgres? ? "'#{id}'" : "x'#{id.delete("-")}'" }.join(", ")
      database.query("UPDATE tasker_tasks SET finished_at = #{long_ago} WHERE id IN (#{named})")
    end

    def ended_task(**options)
      task = handle.create_task("flow", **options)
      handle.work(until: :idle, timeout: 20)
      task.reload
    end

    it "are deleted with all that belongs to them, and others stay" do
      handle.register(single { |ctx| ctx.context["fail"] ? raise(TaskerCore::PermanentError, "no") : 1 })
      old = [ended_task(key: "old"), ended_task(context: { fail: true })]
      expect(old.map(&:status)).to eq(%w[complete error])
      age(*old.map(&:id))
      young = ended_task(key: "young")
      failed = ended_task(context: { fail: true })
      waiting = handle.create_task("flow", run_at: Time.now + 3_600)
      before = Time.now - 60
      expect(handle.purge(finished_before: before)).to eq(2)
      expect(handle.purge(finished_before: before)).to eq(0)
      old.each { |task| expect(error_of { task.reload }).to be_a(TaskerCore::NotFoundError) }
      expect([young, failed, waiting].map { |task| task.reload.status }).to eq(%w[complete error pending])
      expect(handle.tasks.map(&:id)).to eq([waiting, failed, young].map(&:id))
      # Nothing has happened to what waits, and the row of a step tells of its success.
      { workflow_steps: "3", task_transitions: "2", workflow_step_transitions: "1" }.each do |table, tasks|
        expect(database.query("SELECT count(DISTINCT task_id) FROM tasker_#{table}")).to eq([[tasks]])
      end
      expect(handle.create_task("flow", key: "old").id).not_to eq(old.first.id)
      expect(error_of { handle.create_task("flow", key: "young") }).to be_a(TaskerCore::DuplicateTaskError)
    end

    it "go in batches, while others work on the database" do
      handle.register(single { |ctx| ctx.context["n"] })
      ids = handle.create_tasks("flow", contexts: Array.new(700) { |n| { n: n } })
      handle.work(until: :idle, timeout: 60)
      age(*ids)
      troubles = journal
      worker = handle.worker(threads: 3, on_error: ->(error, _) { troubles << error }).start
      creating = Thread.new do
        Array.new(20) { |n| handle.create_tasks("flow", contexts: Array.new(20) { { n: n } }) }.flatten
      end
      before = Time.now - 60
      purged = Array.new(2) { Thread.new { handle.purge(finished_before: before, batch: 50) } }.sum(&:value)
      expect(purged).to eq(700)
      creating.value.each { |id| expect(handle.task(id).wait(timeout: 60).status).to eq("complete") }
      worker.stop
      expect(handle.tasks.count).to eq(400)
      expect(troubles.to_a).to be_empty
    end

    it "may be held by a worker that does not know yet: what it reports is late" do
      gate = self.gate
      handle.register(single { gate.wait })
      task = handle.create_task("flow")
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      database.query("UPDATE tasker_tasks SET state = 'cancelled', live = 0, finished_at = #{long_ago}")
      expect(handle.purge(finished_before: Time.now - 60)).to eq(1)
      gate.open
      other = handle.create_task("flow")
      expect(other.wait(timeout: 20).status).to eq("complete")
      expect(error_of { task.reload }).to be_a(TaskerCore::NotFoundError)
      worker.stop
      expect(count("tasker_receipts")).to eq(0)
    end

    it "do not keep the steps of a dead process from running again" do
      handle.register(single { |ctx| ctx.context["n"] })
      ids = handle.create_tasks("flow", contexts: Array.new(4) { |n| { n: n } })
      program = start_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"])
        flow = { name: "flow", steps: [{ name: "only" }] }
        handle.register(flow, handlers: { only: ->(_) { puts("held") || sleep } })
        handle.worker(threads: 4).start
        sleep
      RUBY
      eventually(within: 30) { program.text.scan("held").size == 4 }
      program.kill
      named = postgres? ? "'#{ids[1]}'" : "x'#{ids[1].delete("-")}'"
      database.query("UPDATE tasker_tasks SET state = 'cancelled', finished_at = #{long_ago} WHERE id = #{named}")
      expect(handle.purge(finished_before: Time.now - 60)).to eq(1)
      database.expire_leases
      expect(handle.work(until: :idle, timeout: 60).ran).to eq(3)
      expect(handle.tasks(status: :complete).map(&:id).reverse).to eq(ids - [ids[1]])
      expect(count("tasker_receipts")).to eq(0)
    end

    it "go by themselves where the configuration says how long they are kept" do
      handle = open_handle(retention: 1, lease: 3)
      handle.register(single { 1 })
      task = handle.create_task("flow")
      waiting = handle.create_task("flow", run_at: Time.now + 3_600)
      handle.worker(threads: 1).start
      task.wait(timeout: 20)
      eventually(within: 20) { handle.tasks.map(&:id) == [waiting.id] }
    end

    it "are not purged by what makes no sense" do
      [{ finished_before: "soon" }, { finished_before: nil }, { finished_before: 5 },
       { finished_before: Time.now, batch: 0 }, { finished_before: Time.now, batch: 10_001 }].each do |options|
        expect(error_of { handle.purge(**options) }).to be_a(TaskerCore::ValidationError)
      end
      expect(error_of { open_handle(retention: 0) }).to have_attributes(path: "retention")
      expect(error_of { TaskerCore::Configuration.new.retention = -1 }).to be_a(TaskerCore::ValidationError)
      expect(TaskerCore::Configuration.new.tap { |c| c.retention = 86_400 }.retention).to eq(86_400)
    end
  end

  on_sqlite do
    def filled
      handle = open_handle
      handle.register(single { "x" * 20_000 })
      handle.create_tasks("flow", contexts: Array.new(400) { {} })
      handle.work(until: :idle, timeout: 60)
      handle.close
      File.size(database.path)
    end

    it "give their space back" do
      before = filled
      handle = open_handle
      expect(handle.purge(finished_before: Time.now + 60)).to eq(400)
      handle.close
      expect(File.size(database.path)).to be < before / 10
    end

    it "leave a file as large as it was that was made before" do
      File.delete(database.path)
      database.query("PRAGMA auto_vacuum = NONE; CREATE TABLE older (n); INSERT INTO older VALUES (1);")
      before = filled
      handle = open_handle
      expect(handle.purge(finished_before: Time.now + 60)).to eq(400)
      handle.close
      expect(File.size(database.path)).to be_between(before / 2, before)
    end
  end
end
