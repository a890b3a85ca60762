# frozen_string_literal: true

RSpec.describe "Timeouts" do
  each_database do
    # A step whose first attempt stands at the gate for too long.
    def slow_first(gate, **options)
      single(timeout: 0.3, backoff: "none", **options) { |ctx| ctx.attempt == 1 ? gate.wait && "late" : "in time" }
    end

    it "are failures that are tried again" do
      gate = self.gate
      handle.register(slow_first(gate))
      task = handle.create_task("flow")
      handle.worker(threads: 2).start
      expect(task.wait(timeout: 20).step(:only)).to have_attributes(result: "in time", attempts: 2)
      expect(gate.waiting).to eq(1)
      gate.open
    end

    it "make a result that comes late worth nothing" do
      gate = self.gate
      handle.register(slow_first(gate))
      task = handle.create_task("flow")
      worker = handle.worker(threads: 2).start
      task.wait(timeout: 20)
      gate.open
      eventually { worker.stats.to_h[:late] == 1 }
      expect(task.reload.step(:only)).to have_attributes(result: "in time", attempts: 2, status: "complete")
    end

    it "end in error when the attempts are used up, and say how long the step had" do
      gate = self.gate
      handle.register(single(timeout: 0.2, retry_limit: 2, backoff: "none") { gate.wait })
      task = handle.create_task("flow")
      handle.worker(threads: 3).start
      step = task.wait(timeout: 20).step(:only)
      gate.open
      expect(step).to have_attributes(status: "error", attempts: 2)
      expect(step.error["message"]).to match(/timeout.*0\.2/)
    end

    it "are watched while a handler keeps Ruby busy" do
      handle.register(single(timeout: 0.3, retryable: false) do
        ends = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 3
        nil while Process.clock_gettime(Process::CLOCK_MONOTONIC) < ends
      end)
      task = handle.create_task("flow")
      summary = handle.work(until: :idle, threads: 1, timeout: 20)
      expect(task.reload.step(:only)).to have_attributes(status: "error")
      expect(summary.failed).to eq(1)
      expect(task.reload.finished_at - task.reload.started_at).to be < 2.5
    end

    it "are watched while the database does not answer" do
      gates = { slow: gate, quick: Support::Gate.new }
      ended = journal
      steps = [{ name: "slow", timeout: 1, interrupt: true, retryable: false }, { name: "quick" }]
      slow = lambda do |_|
        gates[:slow].wait
      rescue TaskerCore::Interrupted
        ended << :interrupted
        raise
      end
      handle.register({ name: "flow", steps: }, handlers: { slow:, quick: ->(_) { gates[:quick].wait } })
      task = handle.create_task("flow")
      handle.worker(threads: 2).start
      eventually { gates.values.all? { |gate| gate.waiting == 1 } }
      took = seconds do
        database.held do
          gates[:quick].open
          eventually { ended.to_a == [:interrupted] }
        end
      end
      expect(took).to be < 4
      expect(task.wait(timeout: 20).step(:slow)).to have_attributes(status: "error", attempts: 1)
      expect(task.reload.step(:quick)).to have_attributes(status: "complete")
    end

    it "begin anew with a heartbeat" do
      flow = single(timeout: 1, retryable: false) do |ctx|
        4.times do
          sleep 0.4
          ctx.heartbeat
        end
        "alive"
      end
      expect(run_task(flow).step(:only)).to have_attributes(result: "alive", attempts: 1)
    end

    it "can be asked for by the handler" do
      seen = journal
      flow = single(timeout: 0.3, retryable: false) do |ctx|
        seen << ctx.expired?
        ends = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 10
        sleep 0.01 until ctx.expired? || Process.clock_gettime(Process::CLOCK_MONOTONIC) > ends
        seen << ctx.expired?
      end
      expect(run_task(flow).step(:only).status).to eq("error")
      eventually { seen.size == 2 }
      expect(seen.to_a).to eq([false, true])
    end

    it "keep a thread busy until its handler is back" do
      gate = self.gate
      handle.register(single(timeout: 0.2, retryable: false) { |ctx| ctx.context["slow"] && gate.wait })
      slow = handle.create_task("flow", context: { slow: true }, priority: 1)
      quick = handle.create_task("flow")
      handle.worker(threads: 1).start
      expect(slow.wait(timeout: 20).status).to eq("error")
      expect(quick.reload.status).not_to eq("complete")
      gate.open
      expect(quick.wait(timeout: 20).status).to eq("complete")
    end

    it "are refused when they make no sense" do
      [0, -1, Float::INFINITY, "soon"].each do |timeout|
        error = error_of { handle.register(single(timeout: timeout) { 1 }) }
        expect(error).to have_attributes(class: TaskerCore::ValidationError, path: "steps[0].timeout")
      end
    end
  end
end
