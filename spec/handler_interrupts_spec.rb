# frozen_string_literal: true

RSpec.describe "A step that says interrupt: true" do
  each_database do
    # Stands still until it is let go, and tells what ended it.
    def stuck(seen, gate, **options)
      single(interrupt: true, retryable: false, **options) do
        gate.wait
        seen << :returned
      rescue TaskerCore::Interrupted
        seen << :interrupted
        raise
      end
    end

    it "has its handler interrupted when its time is over, and the thread goes on" do
      seen = journal
      handle.register(workflow do
        step(:slow, timeout: 0.3, interrupt: true, retryable: false, on_failure: :skip) do
          sleep
        rescue => e # rubocop:disable Style/RescueStandardError -- what handlers write
          seen << e
        ensure
          seen << :cleaned_up
        end
        step(:next, depends_on: :slow) { "went on" }
      end)
      task = handle.create_task("flow")
      worker = handle.worker(threads: 1).start
      task = task.wait(timeout: 20)
      expect(task.step(:next).result).to eq("went on")
      failure = task.history.find { |entry| entry.step_name == "slow" && entry.to == "error" }
      expect(failure.metadata["error"]["message"]).to match(/timeout of 0\.3 s/)
      expect(seen.to_a).to eq([:cleaned_up])
      expect(worker.stats).to include(ran: 2, failed: 1, late: 0, running: 0)
    end

    it "is tried again like every step that ran out of time" do
      flow = single(timeout: 0.2, interrupt: true, backoff: "none") { |ctx| ctx.attempt == 1 ? sleep : "in time" }
      task = run_task(flow)
      expect(task.step(:only)).to have_attributes(status: "complete", result: "in time", attempts: 2)
    end

    it "is interrupted while its handler keeps Ruby busy" do
      handle.register(single(timeout: 0.2, interrupt: true, retryable: false) { loop { 1 + 1 } })
      task = handle.create_task("flow")
      handle.worker(threads: 1).start
      expect(task.wait(timeout: 20).status).to eq("error")
      expect(handle.work(until: :idle, timeout: 20).timed_out?).to be(false)
    end

    it "is not interrupted while it says that it lives" do
      task = run_task(single(timeout: 0.6, interrupt: true, retryable: false) do |ctx|
        4.times { sleep(0.3) && ctx.heartbeat }
        "alive"
      end)
      expect(task.step(:only).result).to eq("alive")
    end

    it "is interrupted when it was moved by hand" do
      seen = journal
      gate = self.gate
      handle.register(stuck(seen, gate))
      task = handle.create_task("flow")
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      database.query("UPDATE tasker_workflow_steps SET state = 'cancelled', token = token + 1")
      eventually { worker.stats[:running].zero? }
      expect(seen.to_a).to eq([:interrupted])
      expect(task.step(:only).status).to eq("cancelled")
    end

    it "is interrupted when its worker stops and has waited for it" do
      seen = journal
      gate = self.gate
      handle.register(stuck(seen, gate))
      task = handle.create_task("flow")
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      worker.stop(timeout: 0.1)
      expect(worker.join(20)).to be(worker)
      expect(seen.to_a).to eq([:interrupted])
      expect(task.step(:only)).to have_attributes(status: "pending", attempts: 0)
    end

    it "leaves a handler alone where that holds it off" do
      seen = journal
      handle.register(single(timeout: 0.2, interrupt: true, retryable: false) do |ctx|
        Thread.handle_interrupt(TaskerCore::Interrupted => :never) do
          eventually { ctx.expired? && Thread.pending_interrupt? }
          seen << :whole
        end
        seen << :not_reached
      end)
      handle.create_task("flow")
      worker = handle.worker(threads: 1).start
      eventually { worker.stats[:failed] == 1 && worker.stats[:running].zero? }
      expect(seen.to_a).to eq([:whole])
    end

    it "never hits anything but its handler, however the end of the time falls" do
      ran = journal
      flow = single(timeout: 0.01, interrupt: true, backoff: "none", retry_limit: 1_000) do |ctx|
        ran << ctx.task_id
        sleep(rand(0.008..0.0105))
        "done"
      end
      handle.register(flow)
      ids = handle.create_tasks("flow", contexts: Array.new(30) { {} })
      troubles = Support::Journal.new
      worker = handle.worker(threads: 4, on_error: ->(error, _) { troubles << error }).start
      ids.each { |id| expect(handle.task(id).wait(timeout: 60).step(:only).result).to eq("done") }
      expect(worker.stats).to include(running: 0, queued: 0)
      expect(troubles.to_a).to be_empty
      expect(worker.instance_variable_get(:@pool)).to all(be_alive)
    end

    it "reports as a failure what others raise in its name" do
      flow = single(timeout: 20, interrupt: true, retryable: false) { raise TaskerCore::Interrupted, "mine" }
      expect(run_task(flow).step(:only).error).to include("class" => "TaskerCore::Interrupted", "message" => "mine")
    end

    it "says so in every form of a template" do
      given = { name: "flow", defaults: { interrupt: true }, steps: [{ name: "a", interrupt: false }] }
      template = handle.register(given, handlers: { a: ->(_) { 1 } })
      expect(template.to_yaml).to match(/^defaults:\n  interrupt: true\n.*^  interrupt: false$/m)
      error = error_of { handle.register(single(interrupt: "yes") { 1 }) }
      expect(error).to have_attributes(class: TaskerCore::ValidationError, path: "steps[0].interrupt")
    end
  end
end
