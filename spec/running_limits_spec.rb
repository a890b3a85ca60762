# frozen_string_literal: true

RSpec.describe "A step's limit" do
  # Runs limited steps and tells when each begins and ends, on the clock that processes have in common.
  source = <<~RUBY
    handle = TaskerCore.open(ENV["URL"])
    limit = { key: "context.customer", running: 2 }
    flow = { name: "flow", steps: [{ name: "free" }, { name: "only", depends_on: "free", limit: limit }] }
    clock = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }
    only = lambda do |ctx|
      begun = clock.call
      sleep 0.01
      puts "ran \#{ctx.context["customer"]} \#{begun} \#{clock.call}"
    end
    handle.register(flow, handlers: { free: ->(_) {}, only: only })
  RUBY

  # The most that ran at once among [begun, ended] pairs.
  def most_at_once(spans)
    events = spans.flat_map { |begun, ended| [[begun, 1], [ended, -1]] }
    events.sort.reduce([0, 0]) { |(now, most), (_, change)| [now + change, [most, now + change].max] }.last
  end

  each_database do
    # What the programs register.
    def register_limited
      limited = { name: "only", depends_on: "free", limit: { key: "context.customer", running: 2 } }
      flow = { name: "flow", steps: [{ name: "free" }, limited] }
      handle.register(flow, handlers: { free: ->(_) {}, only: ->(_) { 1 } })
    end

    # Counts who runs at once for each key.
    def limited(counts, **options, &block)
      single(**options) do |ctx|
        key = ctx.context["customer"]
        counts.enter(key)
        block&.call(ctx)
        sleep 0.005
      ensure
        counts.leave(key)
      end
    end

    let(:counts) do
      Class.new do
        attr_reader :most

        def initialize
          @lock = Mutex.new
          @now = Hash.new(0)
          @most = Hash.new(0)
        end

        def enter(key) = @lock.synchronize { @most[key] = [@most[key], @now[key] += 1].max }
        def leave(key) = @lock.synchronize { @now[key] -= 1 }
      end.new
    end

    it "bounds how many run at once for each value of its key, and all of them run" do
      handle.register(limited(counts, limit: { key: "context.customer", running: 2 }))
      ids = handle.create_tasks("flow", contexts: Array.new(60) { |n| { customer: n % 3 } })
      handle.create_task("flow", context: {})
      handle.work(until: :idle, threads: 10, timeout: 60)
      expect(handle.tasks(status: :complete).count).to eq(61)
      expect(ids.map { |id| handle.task(id).step(:only).attempts }).to all(eq(1))
      expect(counts.most.values.max).to eq(2)
      expect(counts.most.keys).to contain_exactly(0, 1, 2, nil)
      expect([count("tasker_parked"), count("tasker_receipts"), count("tasker_ready")]).to eq([0, 0, 0])
    end

    it "bounds the step as a whole where it has no key, and counts its versions together" do
      flow = limited(counts, limit: { running: 3 })
      handle.register(flow)
      handle.register({ **flow.to_h, version: "1.1.0" })
      handle.create_tasks("flow", contexts: Array.new(15) { {} }, version: "1.0.0")
      handle.create_tasks("flow", contexts: Array.new(15) { {} }, version: "1.1.0")
      workers = Array.new(2) { handle.worker(threads: 5).start }
      expect(handle.work(until: :idle, threads: 2, timeout: 60).timed_out?).to be(false)
      workers.each(&:stop)
      expect(handle.tasks(status: :complete).count).to eq(30)
      expect(counts.most.values.max).to eq(3)
    end

    it "holds over processes, whatever happens to them" do
      register_limited
      programs = Array.new(3) do
        start_program("#{source}\nhandle.worker(threads: 4).start\nputs 'works'\n$stdin.gets\nhandle.close", env: {})
      end
      programs.each { |program| await_words(program, /works/, within: 40) }
      ids = handle.create_tasks("flow", contexts: Array.new(120) { |n| { customer: n % 4 } })
      eventually(within: 60) { programs.sum { |program| program.text.scan("ran").size } > 20 }
      programs.first.kill
      # Its own lease only: what the others hold they still run.
      past = postgres? ? "'epoch'" : "0"
      database.query("UPDATE tasker_sessions SET expires_at = #{past} WHERE label LIKE '%:#{programs.first.pid}'")
      eventually(within: 90) { handle.tasks(status: :complete).count == ids.size }
      spans = programs.flat_map { |program| program.text.scan(/^ran (\d+) (\S+) (\S+)$/) }
      by_customer = spans.group_by(&:first).transform_values { |ran| ran.map { |_, *span| span.map(&:to_f) } }
      expect(by_customer.transform_values { |ran| most_at_once(ran) }.values).to all(be <= 2)
      expect([count("tasker_parked"), count("tasker_receipts")]).to eq([0, 0])
    end

    it "frees the slots of a process that died" do
      program = start_program(<<~RUBY)
        #{source.sub("sleep 0.01", "puts('held') || sleep")}
        handle.create_tasks("flow", contexts: Array.new(4) { { customer: 1 } })
        handle.worker(threads: 4).start
        sleep
      RUBY
      eventually(within: 40) { program.text.scan("held").size == 2 }
      program.kill
      register_limited
      expect(count("tasker_slots")).to eq(2)
      database.expire_leases
      handle.work(until: :idle, timeout: 60)
      expect(handle.tasks(status: :complete).count).to eq(4)
    end

    it "frees the slot of an attempt that failed, ran out of time or was moved by hand" do
      seen = journal
      # Long enough for the one that is moved to be moved in time.
      options = { limit: { running: 1 }, timeout: 1.5, interrupt: true, retry_limit: 2, backoff: "none" }
      handle.register(single(**options) do |ctx|
        seen << ctx.context["how"]
        case ctx.context["how"]
        when "fail" then raise "no"
        when "late" then ctx.attempt == 1 ? sleep : 1
        when "moved" then sleep 0.2 until ctx.heartbeat && ctx.cancelled?
        end
      end)
      worker = handle.worker(threads: 4).start
      moved = handle.create_task("flow", context: { how: "moved" })
      eventually { seen.size == 1 }
      %w[fail late fine].each { |how| handle.create_task("flow", context: { how: how }) }
      eventually { seen.to_a == ["moved"] && count("tasker_parked") == 3 }
      named = postgres? ? "'#{moved.id}'" : "x'#{moved.id.delete("-")}'"
      database.query("UPDATE tasker_workflow_steps SET state = 'cancelled', token = token + 1 WHERE task_id = #{named}")
      eventually(within: 30) { handle.tasks(status: :complete).count == 2 && handle.tasks(status: :error).count == 1 }
      worker.stop
      expect(seen.to_a.tally).to eq("moved" => 1, "fail" => 2, "late" => 2, "fine" => 1)
    end

    it "bounds the steps of a list's items" do
      counts = self.counts
      handle.register(workflow do
        step(:split) { (1..12).to_a }
        step(:parcel, depends_on: :split, each: :split, limit: { running: 2 }) do |ctx|
          counts.enter(:parcel)
          sleep 0.005
          ctx.item
        ensure
          counts.leave(:parcel)
        end
        step(:join, depends_on: :parcel) { |ctx| ctx.result(:parcel).sum }
      end)
      task = handle.create_task("flow")
      handle.work(until: :idle, threads: 8, timeout: 60)
      expect(task.reload.step(:join).result).to eq(78)
      expect(counts.most).to eq(parcel: 2)
    end

    it "may be by a key that a callable makes of the step's context, once for all attempts" do
      counts = self.counts
      made = journal
      flow = workflow do
        step(:account) { |ctx| { "id" => ctx.context["n"] % 3 } }
        key = lambda do |ctx|
          made << ctx.task_id
          ctx.result(:account)["id"]
        end
        step(:charge, depends_on: :account, limit: { key: key, running: 2 }, backoff: "none") do |ctx|
          id = ctx.result(:account)["id"]
          counts.enter(id)
          sleep 0.005
          raise "once more" if ctx.attempt == 1

          id
        ensure
          counts.leave(id)
        end
      end
      template = handle.register(flow)
      ids = handle.create_tasks("flow", contexts: Array.new(24) { |n| { n: n } })
      expect(handle.work(until: :idle, threads: 10, timeout: 60).ran).to eq(24 * 3)
      expect(ids.map { |id| handle.task(id).step(:charge).attempts }).to all(eq(2))
      expect(counts.most).to eq(0 => 2, 1 => 2, 2 => 2)
      expect(made.size).to eq(24)
      expect(template.to_yaml).to include("limit:\n    key: true\n    running: 2\n")
      expect(handle.register(template)).to eq(template)
      error = error_of { handle.register(template.to_h, handlers: template.handlers) }
      expect(error).to have_attributes(class: TaskerCore::ValidationError, path: "steps[1].limit.key")
      callables = { handlers: template.handlers, limit_keys: template.limit_keys }
      expect(handle.register(template.to_h, **callables)).to eq(template)
    end

    it "may stand in a template's defaults, for each step that has none of its own" do
      counts = self.counts
      key = ->(ctx) { ctx.context["n"] % 2 }
      flow = workflow do
        defaults limit: { key: key, running: 1 }
        run = lambda do |ctx, counted|
          counts.enter(counted)
          sleep 0.005
        ensure
          counts.leave(counted)
          ctx.step_name
        end
        step(:a) { |ctx| run.call(ctx, [:a, ctx.context["n"] % 2]) }
        step(:b) { |ctx| run.call(ctx, [:b, ctx.context["n"] % 2]) }
        step(:own, limit: { running: 3 }) { |ctx| run.call(ctx, :own) }
      end
      template = handle.register(flow)
      expect(template.limit_keys).to eq("a" => key, "b" => key)
      expect(template.to_yaml).to include("defaults:\n  limit:\n    key: true\n    running: 1\n")
      handle.create_tasks("flow", contexts: Array.new(16) { |n| { n: n } })
      expect(handle.work(until: :idle, threads: 10, timeout: 60).ran).to eq(16 * 3)
      expect(counts.most).to eq([:a, 0] => 1, [:a, 1] => 1, [:b, 0] => 1, [:b, 1] => 1, own: 3)
      expect(handle.register(template)).to eq(template)
      given = { handlers: template.handlers, limit_keys: template.limit_keys }
      expect(handle.register(YAML.safe_load(template.to_yaml), **given)).to eq(template)
      error = error_of { handle.register(template.to_h, handlers: template.handlers, limit_keys: { a: key, own: key }) }
      expect(error.faults.map { |fault| fault[:path] }).to contain_exactly("defaults.limit.key", "limit_keys.own")
      expect(error.message).to include("limit_keys: { \"b\" => … }")
    end

    it "counts it as a failure of the attempt when its key can't be made" do
      flow = single(limit: { key: ->(_) { raise "no key" }, running: 1 }, retry_limit: 2, backoff: "none") { 1 }
      expect(run_task(flow).step(:only)).to have_attributes(status: "error", attempts: 2)
      bad = single("bad", limit: { key: ->(_) { Object.new }, running: 1 }) { 1 }
      expect(run_task(bad).step(:only).error["message"]).to include("result")
    end

    it "leaves what waits for it to operations by hand" do
      gate = self.gate
      ran = journal
      handle.register(single(limit: { running: 1 }) do |ctx|
        ran << ctx.task_id
        gate.wait
      end)
      worker = handle.worker(threads: 4).start
      tasks = [handle.create_task("flow")]
      eventually { gate.waiting == 1 }
      tasks += Array.new(3) { handle.create_task("flow") }
      eventually { count("tasker_parked") == 3 }
      tasks[1].cancel
      tasks[2].pause
      expect(count("tasker_parked")).to eq(1)
      tasks[2].resume
      eventually { count("tasker_parked") == 2 }
      tasks[0].cancel
      eventually { ran.size == 2 }
      gate.open
      eventually(within: 30) { handle.tasks(status: :complete).count == 2 }
      worker.stop
      expect(ran.to_a.uniq.size).to eq(3)
      expect(tasks.map { |task| task.reload.status }).to eq(%w[cancelled cancelled complete complete])
    end

    it "is refused when it makes no sense, and is the same in each form" do
      [{ running: 0 }, { key: "customer", running: 1 }, { key: "context.a" }, { running: 1, per: 2 }, 3].each do |limit|
        error = error_of { handle.register(single(limit: limit) { 1 }) }
        expect(error).to be_a(TaskerCore::ValidationError)
        expect(error.path).to start_with("steps[0].limit")
      end
      template = handle.register(single(limit: { key: "context.customer.id", running: 3 }) { 1 })
      expect(template.to_yaml).to include("limit:\n    key: context.customer.id\n    running: 3\n")
    end
  end
end
