# frozen_string_literal: true

# A database that is slow, away, silent, or only reads for a while. TASKER_OUTAGE=30 keeps it away for so long, in
# seconds.
RSpec.describe "A database" do
  outage = Float(ENV.fetch("TASKER_OUTAGE", "3"))
  flow = { name: "flow", steps: [{ name: "a" }, { name: "b", depends_on: "a" }] }
  handlers = { a: ->(ctx) { ctx.context["n"] }, b: ->(ctx) { ctx.result(:a) * 2 } }

  on_postgres do
    let(:troubles) { Support::Journal.new }

    # A handle through the proxy, with a worker.
    def at_work(flow, handlers, lease: 15, **options)
      handle = open_handle(proxied_url(**options), lease: lease)
      handle.register(flow, handlers: handlers)
      @worker = handle.worker(threads: 2, on_error: ->(error, _) { troubles << error }).start
      handle
    end

    def create(handle, numbers) = numbers.map { |n| handle.create_task("flow", context: { n: n }) }
    def results(tasks) = tasks.map { |task| task.wait(timeout: 30).step(:b).result }
    def attempts(tasks) = tasks.flat_map(&:steps).map(&:attempts).uniq

    it "that answers slowly makes everything slow, and nothing fail" do
      handle = at_work(flow, handlers, lease: 2)
      proxy.delay = 0.01
      tasks = create(handle, 0..2)
      expect(results(tasks)).to eq([0, 2, 4])
      expect(attempts(tasks)).to eq([1])
      expect(troubles.to_a).to eq([])
    end

    it "that goes away and returns is worked on again, and nobody does anything", limit: 60 + outage do
      gate = self.gate
      ran = journal
      handle = at_work(flow, { **handlers, a: lambda { |ctx|
        gate.wait(within: outage + 20) if ctx.context["n"] < 2
        (ran << ctx.context["n"]) && ctx.context["n"]
      } }, lease: outage + 15)
      tasks = create(handle, 0..9)
      eventually { gate.waiting == 2 }
      proxy.go_away
      gone = clock
      gate.open
      error = error_of { create(handle, [10]) }
      expect([error.class, error.retryable?]).to eq([TaskerCore::DatabaseError, true])
      expect(error.message).to include("127.0.0.1:#{proxy.port}")
      eventually(within: outage + 20) { troubles.size.positive? && clock - gone > outage }
      proxy.come_back
      expect(results(tasks)).to eq(Array.new(10) { |n| n * 2 })
      expect(ran.to_a.sort).to eq((0..9).to_a)
      expect(attempts(tasks)).to eq([1])
      expect(troubles.to_a).to all(be_a(TaskerCore::DatabaseError).and(be_retryable))
      # Each try after a longer pause.
      expect(troubles.size).to be < 5 + outage
      expect(@worker).to be_running
    end

    it "whose connections fall silent is asked on new ones" do
      handle = at_work(flow, handlers, lease: 4, connect_timeout: 1, acquire_timeout: 1)
      expect(results(create(handle, 0..1))).to eq([0, 2])
      proxy.forget
      # The first call may have the connection that tells.
      tasks = create(handle, 2..4)
      expect(results(tasks)).to eq([4, 6, 8])
      expect(completions).to eq(10)
      expect(handle.info[:pool][:size]).to be <= 5
    end

    it "that falls silent in the middle of a transaction has that repeated, once its connection counts as dead" do
      handle = at_work(flow, handlers, answer_timeout: 1)
      @worker.stop
      expect(handle.tasks.count).to eq(0)
      creating = forgotten(at: "INSERT") { Thread.new { create(handle, [7]) } }
      expect(creating.value.first.reload.status).to eq("pending")
      expect(handle.tasks.count).to eq(1)
    end

    it "that is left in the middle of a creation gives back what that had locked, and the creation is repeated" do
      handle = at_work(flow, handlers, answer_timeout: 1)
      @worker.stop
      keyed = ->(key) { handle.create_task("flow", context: { n: 7 }, key: key) }
      keyed.call("before")
      creating = forgotten(at: "tasker_task_keys") { Thread.new { keyed.call("k") } }
      expect(creating.value.reload.status).to eq("pending")
      expect(handle.tasks.count).to eq(2)
    end

    it "that is left while a result is recorded lets the same worker record it" do
      gate = self.gate
      gated = { **handlers, a: ->(ctx) { (ctx.context["n"] < 7 || gate.wait) && ctx.context["n"] } }
      handle = at_work(flow, gated, answer_timeout: 1)
      expect(results(create(handle, [1, 2]))).to eq([2, 4])
      tasks = create(handle, [7])
      eventually { gate.waiting == 1 }
      forgotten(at: "FOR KEY SHARE") { gate.open }
      expect(results(tasks)).to eq([14])
      expect(attempts(tasks)).to eq([1])
      expect(completions).to eq(6)
    end

    # What the block gives, which has a statement with these words wait for a lock. Once that is to be had, nobody hears
    # any more of the transaction that gets it. The statement was prepared before: to prepare it would wait, too, and
    # nobody would come to run it.
    def forgotten(at:)
      database.held do
        begun = yield
        eventually { database.query(<<~SQL) == [["t"]] }
          SELECT count(*) > 0 FROM pg_stat_activity
          WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%#{at}%'
        SQL
        proxy.forget
        begun
      end
    end

    it "that only reads for a while refuses clearly, stores no half, and is worked on again" do
      handle = at_work(flow, handlers)
      expect(results(create(handle, [1]))).to eq([2])
      before = census
      only_read("on")
      proxy.cut
      error = eventually { refusal { create(handle, [2]) } }
      expect([error.class, error.retryable?, error.code]).to eq([TaskerCore::DatabaseError, true, "25006"])
      expect(error.message).to include("only reads")
      expect(handle.tasks.count).to eq(1)
      expect(census).to eq(before)
      only_read("off")
      # The connections of before would go on refusing.
      expect(results(eventually { quietly { create(handle, [3]) } })).to eq([6])
    ensure
      database.spoil
    end

    # What new connections may do.
    def only_read(setting)
      name = database.url[%r{/([^/?]+)(\?.*)?\z}, 1]
      database.query("SET default_transaction_read_only = off;
                      ALTER DATABASE #{name} SET default_transaction_read_only = #{setting}")
    end

    # What it raises; nil where it works.
    def refusal
      yield
      nil
    rescue TaskerCore::Error => e
      e
    end

    # What it gives; nil where it fails in a way that passes.
    def quietly
      yield
    rescue TaskerCore::DatabaseError => e
      raise unless e.retryable?
    end
  end
end
