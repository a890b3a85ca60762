# frozen_string_literal: true

RSpec.describe TaskerCore::Worker do
  each_database do
    # A step that stands at the gate.
    def gated(gate, **options)
      single(**options) do |ctx|
        gate.wait
        ctx.context["n"]
      end
    end

    it "runs tasks from its start until its stop" do
      handle.register(single { |ctx| ctx.context["n"] })
      worker = handle.worker(threads: 2)
      expect(worker.running?).to be(false)
      expect(worker.start).to be(worker)
      expect(worker.running?).to be(true)
      tasks = Array.new(5) { |n| handle.create_task("flow", context: { n: n }) }
      expect(tasks.map { |task| task.wait(timeout: 20).step(:only).result }).to eq([0, 1, 2, 3, 4])
      worker.stop(timeout: 5)
      expect(worker.running?).to be(false)
      late = handle.create_task("flow")
      expect(late.reload.status).to eq("pending")
    end

    it "runs no more steps at once when it starts again while a handler is still busy" do
      first = gate
      inside = Queue.new
      most = journal
      handle.register(single do |ctx|
        next first.wait if ctx.context["first"]

        inside << ctx.context["n"]
        most << inside.size
        sleep 0.01
        inside.pop
      end)
      handle.create_task("flow", context: { first: true })
      worker = handle.worker(threads: 1).start
      eventually { first.waiting == 1 }
      busy = Thread.list.find { |thread| TaskerCore::Attempt.busy?(thread) }
      worker.stop(timeout: 0)
      worker.start
      tasks = Array.new(20) { |n| handle.create_task("flow", context: { n: }) }
      first.open
      tasks.each { |task| task.wait(timeout: 20) }
      expect(most.to_a.max).to eq(1)
      expect(busy.join(20)).to be(busy)
      expect(worker.running?).to be(true)
    end

    it "runs a task soon after it is created" do
      handle.register(single { 1 })
      handle.worker(threads: 1).start
      handle.create_task("flow").wait(timeout: 10)
      waits = Array.new(5) { seconds { handle.create_task("flow").wait(timeout: 10) } }
      expect(waits.sort[2]).to be < 0.8
    end

    it "runs templates that are registered after its start" do
      handle.worker(threads: 1).start
      handle.register(single("later") { "later" })
      expect(handle.create_task("later").wait(timeout: 10).step(:only).result).to eq("later")
    end

    it "can be stopped twice, and stopped without a start" do
      worker = handle.worker(threads: 1).start
      2.times { worker.stop(timeout: 5) }
      handle.worker(threads: 1).stop(timeout: 5)
    end

    it "is started once, by however many threads" do
      handle.register(single { sleep 0.005 })
      worker = handle.worker(threads: 2)
      Array.new(6) { Thread.new { worker.start } }.each(&:join)
      named = -> { Thread.list.count { |thread| thread.name.to_s.start_with?("tasker-worker") } }
      # A thread names itself when it first runs.
      eventually { named.call >= 2 }
      expect(named.call).to eq(2)
      tasks = Array.new(20) { handle.create_task("flow") }
      expect(tasks.map { |task| task.wait(timeout: 20).status }.uniq).to eq(["complete"])
    end

    it "ends a join when it is stopped" do
      worker = handle.worker(threads: 1).start
      joined = Thread.new { worker.join }
      expect(joined.join(0.1)).to be_nil
      worker.stop(timeout: 5)
      expect(joined.join(5)).to be(joined)
    end

    it "tells what it does" do
      gate = self.gate
      handle.register(gated(gate))
      handle.register(single("bad", retryable: false) { raise "no" })
      worker = handle.worker(threads: 2).start
      expect(worker.stats.to_h).to include(ran: 0, failed: 0, running: 0)
      handle.create_task("bad").wait(timeout: 10)
      task = handle.create_task("flow")
      eventually { worker.stats.to_h[:running] == 1 }
      gate.open
      task.wait(timeout: 10)
      eventually { worker.stats.to_h.values_at(:ran, :failed, :running) == [2, 1, 0] }
    end

    it "lets what is running end when it is stopped" do
      gate = self.gate
      handle.register(gated(gate))
      task = handle.create_task("flow", context: { n: 7 })
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      stopping = Thread.new { worker.stop(timeout: 20) }
      expect(stopping.join(0.2)).to be_nil
      gate.open
      stopping.join
      expect(task.reload.step(:only)).to have_attributes(status: "complete", result: 7, attempts: 1)
    end

    it "gives back what it has not begun, for another worker to run at once" do
      gate = self.gate
      handle.register(gated(gate))
      ids = handle.create_tasks("flow", contexts: Array.new(8) { |n| { n: n } })
      first = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      stopping = Thread.new { first.stop(timeout: 20) }
      second = handle.worker(threads: 8).start
      eventually(within: 5) { gate.waiting == 8 }
      gate.open
      stopping.join
      ids.each { |id| handle.task(id).wait(timeout: 10) }
      second.stop
      steps = ids.map { |id| handle.task(id).step(:only) }
      expect(steps.map(&:attempts).uniq).to eq([1])
      expect(steps.map(&:result)).to eq((0...8).to_a)
    end

    it "gives back what didn't end in time, and that attempt doesn't count" do
      gate = self.gate
      handle.register(gated(gate))
      task = handle.create_task("flow", context: { n: 1 })
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      expect(seconds { worker.stop(timeout: 0.2) }).to be < 5
      expect(task.reload.step(:only)).to have_attributes(status: "pending", attempts: 0)
      gate.open
      other = handle.worker(threads: 1).start
      expect(task.wait(timeout: 10).step(:only)).to have_attributes(attempts: 1, result: 1)
      other.stop
    end

    it "is stopped when its handle is closed" do
      other = open_handle
      other.register(single { 1 })
      worker = other.worker(threads: 1).start
      other.close
      expect(eventually { !worker.running? }).to be(true)
    end

    it "tells on_error what a handler raised, and the step's context" do
      told = Queue.new
      handle.register(single(backoff: "none", retry_limit: 2) { raise KeyError, "no key" })
      task = handle.create_task("flow")
      worker = handle.worker(threads: 1, on_error: ->(error, context) { told << [error, context] }).start
      task.wait(timeout: 10)
      worker.stop
      expect(told.size).to eq(2)
      error, context = told.pop
      expect(error).to be_a(KeyError)
      expect(context).to have_attributes(step_name: "only", task_id: task.id, attempt: 1)
    end

    it "goes on when on_error raises" do
      handle.register(single(retryable: false) { |ctx| ctx.context["bad"] ? raise("no") : 1 })
      handle.worker(threads: 1, on_error: ->(*) { raise "on_error too" }).start
      bad = handle.create_task("flow", context: { bad: true }).wait(timeout: 10)
      good = handle.create_task("flow").wait(timeout: 10)
      expect([bad.status, good.status]).to eq(%w[error complete])
    end

    it "goes on when the logger raises, and still tells on_error" do
      logger = Class.new { %i[add info warn error].each { |name| define_method(name) { |*| raise "disk full" } } }.new
      allow(TaskerCore.configuration).to receive(:logger).and_return(logger)
      handle.register(single(retry_limit: 2, backoff: "none") { raise "lost" })
      task = handle.create_task("flow")
      told = []
      threads = nil
      expect do
        handle.work(until: :idle, threads: 1, timeout: 10, on_error: lambda { |error, _|
          told << error.message
          threads = (threads || []) << Thread.current
        })
      end.to output(/logger failed/).to_stderr
      expect(told).to eq(%w[lost lost])
      expect(threads.uniq.size).to eq(1)
      expect(task.reload).to be_error
    end

    it "refuses an on_error that can't be called" do
      expect { handle.worker(on_error: 5) }.to raise_error(TaskerCore::ValidationError, /on_error/)
    end

    it "loses nothing when one of its threads is killed" do
      gate = self.gate
      threads = Queue.new
      handle.register(single(backoff: "none") do |ctx|
        if ctx.context["n"].zero? && ctx.attempt == 1 && threads.empty?
          threads << Thread.current
          gate.wait
        end
        ctx.context["n"]
      end)
      victim = handle.create_task("flow", context: { n: 0 })
      handle.worker(threads: 1).start
      threads.pop.tap { |thread| threads << thread }.kill
      others = Array.new(3) { |n| handle.create_task("flow", context: { n: n + 1 }) }
      expect([victim, *others].map { |task| task.wait(timeout: 20).step(:only).result }).to eq([0, 1, 2, 3])
    end

    it "shares the work with other workers, and no step runs twice" do
      ran = journal
      other = open_handle
      [handle, other].each_with_index do |one, n|
        one.register(single { |ctx| (ran << [ctx.context["n"], n]) && nil })
      end
      ids = handle.create_tasks("flow", contexts: Array.new(400) { |n| { n: n } })
      workers = [handle, other].map { |one| one.worker(threads: 3).start }
      eventually(within: 30) { handle.tasks(status: :complete).count == ids.size }
      workers.each(&:stop)
      expect(ran.to_a.map(&:first).sort).to eq((0...400).to_a)
      expect(ids.map { |id| handle.task(id).step(:only).attempts }.uniq).to eq([1])
    end

    it "works the queues that it was given" do
      handle.register(single { 1 })
      mine = handle.create_task("flow", queue: "mine")
      theirs = handle.create_task("flow", queue: "theirs")
      handle.worker(threads: 1, queues: ["mine"]).start
      mine.wait(timeout: 10)
      expect(theirs.reload.status).to eq("pending")
    end

    it "gives its handlers threads with names" do
      names = Queue.new
      handle.register(single { (names << Thread.current.name) && nil })
      task = handle.create_task("flow")
      handle.worker(threads: 1).start
      task.wait(timeout: 10)
      expect(names.pop).to match(/tasker/)
    end

    it "is stopped at the end of the process, which lets its steps end" do
      handle.register(single("slow", retry_limit: 1) { 1 })
      task = handle.create_task("slow")
      outcome = run_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"])
        started = Queue.new
        handle.register({ name: "slow", steps: [{ name: "only", retry_limit: 1 }] }, handlers: {
          only: lambda do |_ctx|
            started << 1
            sleep 0.5
            "ended"
          end
        })
        handle.worker(threads: 1).start
        started.pop
      RUBY
      expect(outcome).to be_success, outcome.output
      expect(task.reload.step(:only)).to have_attributes(status: "complete", result: "ended", attempts: 1)
    end
  end
end
