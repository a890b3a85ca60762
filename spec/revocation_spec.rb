# frozen_string_literal: true

RSpec.describe "A step that is moved by hand while it runs" do
  each_database do
    # What an operation of another process does to a step, whoever holds it.
    def cancel_elsewhere
      database.query("UPDATE tasker_workflow_steps SET state = 'cancelled', token = token + 1")
    end

    it "tells its handler, and its result is not recorded" do
      seen = journal
      gate = self.gate
      handle.register(single do |ctx|
        seen << ctx.cancelled?
        gate.wait
        eventually { ctx.cancelled? }
        seen << [ctx.cancelled?, ctx.expired?, ctx.heartbeat]
        "worth nothing"
      end)
      task = handle.create_task("flow")
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      cancel_elsewhere
      gate.open
      eventually { worker.stats[:late] == 1 }
      expect(seen.to_a).to eq([false, [true, false, false]])
      expect(task.step(:only)).to have_attributes(status: "cancelled", result: nil)
      expect(worker.stats).to include(ran: 0, failed: 0, running: 0)
    end

    it "is dropped when no thread has taken it yet" do
      gate = self.gate
      runs = journal
      handle.register(single do |ctx|
        runs << ctx.context["n"]
        gate.wait
      end)
      worker = handle.worker(threads: 1).start
      handle.create_tasks("flow", contexts: [{ n: 1 }, { n: 2 }])
      eventually { gate.waiting == 1 && worker.stats[:queued] == 1 }
      cancel_elsewhere
      eventually { worker.stats[:queued].zero? }
      gate.open
      expect(handle.work(until: :idle, timeout: 20)).to have_attributes(ran: 0, timed_out?: false)
      expect(runs.size).to eq(1)
      expect(count("tasker_receipts")).to eq(0)
    end

    it "has cancelled? true in what outlives the handler" do
      kept = journal
      run_task(single do |ctx|
        kept << ctx
        kept << ctx.cancelled?
      end)
      expect(kept.to_a.last).to be(false)
      expect(kept.to_a.first.cancelled?).to be(true)
    end
  end
end
