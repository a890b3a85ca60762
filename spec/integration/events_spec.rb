# frozen_string_literal: true

require "tasker_core/testing"

RSpec.describe "Events" do
  each_database do
    # Subscribes, and keeps what comes in `heard`.
    def listen(*patterns, to: handle, into: heard, **options)
      to.subscribe(*patterns, **options) { |event| into << event }
    end

    def heard
      @heard ||= Support::Journal.new
    end

    def diamond
      workflow("diamond") do
        step(:a, &:step_name)
        step(:b, depends_on: :a, &:step_name)
        step(:c, depends_on: :a, &:step_name)
        step(:d, depends_on: %i[b c], &:step_name)
      end
    end

    it "tell every change of a task and its steps, and where it belongs" do
      subscription = listen("task.*", "step.*")
      task = run_task(workflow("flow") do
        namespace "shop"
        step(:first) { 1 }
        step(:last, depends_on: :first) { 2 }
      end, threads: 1)
      subscription.flush
      moves = heard.to_a.map { |event| [event.step_name, event.from, event.to] }
      expect(moves.select { |step, *| step == "first" }).to eq(
        [["first", nil, "pending"], %w[first pending in_progress], %w[first in_progress complete]]
      )
      expect(moves.select { |step, *| step.nil? }).to eq(
        [[nil, nil, "pending"], [nil, "pending", "in_progress"], [nil, "in_progress", "complete"]]
      )
      last = heard.to_a.reverse.find { |event| event.name == "step.complete" }
      expect(last).to have_attributes(task_id: task.id, namespace: "shop", task_name: "flow", version: "1.0.0",
                                      step_name: "last", from: "in_progress", to: "complete", attempt: 1)
      expect(last.at).to be_utc.and eq(task.step(:last).finished_at)
      expect(last.session_id).to eq(task.history.last.session_id || last.session_id)
    end

    it "tell what is in the history, each once" do
      subscription = listen("task.*", "step.*")
      failures = 0
      task = run_task(workflow do
        step(:shaky, backoff: "none", retry_limit: 3) { (failures += 1) < 3 ? raise("no. #{failures}") : "done" }
        step(:hopeless) { raise TaskerCore::PermanentError, "never" }
      end)
      subscription.flush
      told = heard.to_a.map { |e| [e.step_name, e.from, e.to, e.at, e.attempt, e.session_id, e.metadata] }
      written = task.history.map { |t| [t.step_name, t.from, t.to, t.at, t.attempt, t.session_id, t.metadata] }
      expect(told).to match_array(written)
      expect(heard.to_a.map(&:name).tally).to include("step.waiting_for_retry" => 2, "step.error" => 1,
                                                      "step.complete" => 1, "task.error" => 1)
      error = heard.to_a.find { |event| event.name == "step.error" }
      expect(error.metadata.dig("error", "message")).to eq("never")
    end

    %i[linear diamond parallel tree dense].each do |pattern|
      it "tell of a #{pattern} workflow in an order that its edges allow" do
        flow = TaskerCore::Testing.create_workflow(handle, pattern: pattern, steps: 9)
        subscription = listen("step.in_progress", "step.complete")
        TaskerCore::Testing.run_workflow(handle, flow)
        subscription.flush
        place = heard.to_a.each_with_index.to_h { |event, index| [[event.step_name, event.to], index] }
        expect(place.size).to eq(2 * flow.steps.size)
        flow.edges.each do |parent, child|
          expect(place.fetch([child, "in_progress"])).to be > place.fetch([parent, "complete"])
        end
      end
    end

    it "come in order for each task, and numbered without a gap, however many threads and workers there are" do
      other = open_handle
      subscription = listen("task.*", "step.*", capacity: 100_000)
      flow = diamond
      [handle, other].each { |each| each.register(flow) }
      workers = [handle, other].map { |each| each.worker(threads: 3).start }
      tasks = Array.new(4) { Thread.new { Array.new(15) { handle.create_task(flow) } } }.flat_map(&:value)
      tasks.each { |task| task.wait(timeout: 30) }
      workers.each(&:stop)
      subscription.flush
      events = heard.to_a
      expect(events.map(&:sequence)).to eq((1..(60 * 15)).to_a)
      expect(subscription.dropped).to eq(0)
      events.group_by(&:task_id).each_value do |of_task|
        names = of_task.map { |event| [event.step_name, event.name].compact.join(" ") }
        expect([names.first, names.last]).to eq(%w[task.created task.complete])
        expect(of_task.map(&:at)).to eq(of_task.map(&:at).sort)
        order = ["a step.created", "a step.in_progress", "a step.complete", "b step.in_progress", "b step.complete",
                 "d step.in_progress", "d step.complete"]
        expect(names & order).to eq(order)
        expect(names & ["a step.complete", "c step.in_progress", "c step.complete", "d step.in_progress"])
          .to eq(["a step.complete", "c step.in_progress", "c step.complete", "d step.in_progress"])
      end
    end

    it "tell nothing of what was not committed" do
      handle.register(single { 1 })
      handle.create_task("flow", key: "taken")
      subscription = listen
      error = error_of { handle.create_tasks("flow", contexts: [{}, {}, {}], keys: %w[x y taken]) }
      expect(error).to be_a(TaskerCore::DuplicateTaskError)
      handle.create_task("flow", key: "new")
      subscription.flush
      expect(heard.to_a.map(&:name)).to eq(%w[task.created step.created])
    end

    it "are there when the call that committed them returns" do
      handle.register(single { 1 })
      subscription = listen("task.created")
      ids = Array.new(20) do
        task = handle.create_task("flow")
        subscription.flush
        expect(heard.to_a.last.task_id).to eq(task.id)
        task.id
      end
      expect(heard.to_a.map(&:task_id)).to eq(ids)
    end

    it "are chosen by name, by Symbol and by pattern" do
      journals = ["task.complete", :"step.complete", "*.complete", %w[step.created task.created]].map do |pattern|
        Support::Journal.new.tap { |journal| listen(*pattern, into: journal) }
      end
      run_task(single { 1 })
      eventually { journals.map(&:size) == [1, 1, 2, 2] }
      expect(journals.map { |journal| journal.to_a.map(&:name) }).to eq(
        [%w[task.complete], %w[step.complete], %w[step.complete task.complete], %w[task.created step.created]]
      )
    end

    it "are refused by a name that there is not, with the nearest one" do
      error = error_of { listen("step.*", "step.completed", "nothing") }
      expect(error).to be_a(TaskerCore::ValidationError)
      expect(error.faults.map { |fault| fault[:path] }).to eq(["patterns[1]", "patterns[2]"])
      expect(error.message).to include('did you mean "step.complete"?')
      expect(error_of { listen("*", capacity: 0) }.path).to eq("capacity")
      expect(error_of { listen("*", on_error: 5) }.path).to eq("on_error")
      expect(error_of { handle.subscribe("*") }.path).to eq("block")
      expect(error_of { listen(7) }).to be_a(TaskerCore::ValidationError)
    end

    it "never hold the engine up: what a full queue can't take is counted and reported, and leaves a gap" do
      reported = Queue.new
      handle.register(single { 1 })
      tell = ->(error, _) { reported << error }
      subscription = handle.subscribe("task.created", capacity: 3, on_error: tell) do |event|
        gate.wait
        heard << event
      end
      handle.create_task("flow")
      eventually { gate.waiting == 1 }
      Array.new(10) { handle.create_task("flow") }
      handle.work(until: :idle, timeout: 20)
      expect(handle.tasks(status: :complete).count).to eq(11)
      expect(subscription.dropped).to eq(7)
      gate.open
      subscription.flush
      expect(reported.pop.message).to include("missed 7 events")
      expect(heard.to_a.map(&:sequence)).to eq([1, 2, 3, 4])
      handle.create_task("flow")
      subscription.flush
      expect(heard.to_a.last.sequence).to eq(12)
    end

    it "go on after a subscriber that raises, which on_error hears of" do
      errors = Queue.new
      handle.register(single { 1 })
      tell = ->(error, event) { errors << [error, event] }
      subscription = handle.subscribe("task.created", on_error: tell) do |event|
        heard << event
        event.sequence.odd? ? raise("odd") : raise(NotImplementedError, "even")
      end
      3.times { handle.create_task("flow") }
      subscription.flush
      expect(heard.to_a.map(&:sequence)).to eq([1, 2, 3])
      error, event = errors.pop
      expect([error.message, event]).to eq(["odd", heard.to_a.first])
      expect(errors.pop.first).to be_a(NotImplementedError)
      expect(subscription).to be_active
    end

    it "reach on_error of the configuration where the subscription has none" do
      errors = Queue.new
      TaskerCore.configure { |c| c.on_error = ->(error) { errors << error } }
      handle.register(single { 1 })
      handle.subscribe("task.created") { raise "no" }
      handle.create_task("flow")
      expect(errors.pop.message).to eq("no")
    ensure
      TaskerCore.configure { |c| c.on_error = nil }
    end

    it "reach several subscribers, each at its own pace" do
      slow = handle.subscribe("task.created") { gate.wait }
      quick = listen("task.created")
      handle.register(single { 1 })
      3.times { handle.create_task("flow") }
      quick.flush
      expect(heard.size).to eq(3)
      expect(error_of { slow.flush(timeout: 0.05) }).to be_a(TaskerCore::TimeoutError)
      gate.open
      slow.flush
    end

    it "end when they are cancelled" do
      handle.register(single { 1 })
      subscription = listen("task.created")
      handle.create_task("flow")
      subscription.flush
      expect(subscription.cancel).to be(subscription)
      subscription.cancel
      handle.create_task("flow")
      expect([heard.size, subscription.active?]).to eq([1, false])
      subscription.flush
    end

    it "can be cancelled by their own block" do
      handle.register(single { 1 })
      subscription = handle.subscribe("task.created") do |event|
        heard << event
        subscription.cancel
      end
      3.times { handle.create_task("flow") }
      eventually { !subscription.active? }
      expect(heard.size).to eq(1)
    end

    it "are cancelled in time though their block hangs, and refuse to wait for themselves" do
      handle.register(single { 1 })
      subscription = handle.subscribe("task.created") do
        heard << error_of { subscription.flush }
        gate.wait
      end
      handle.create_task("flow")
      eventually { gate.waiting == 1 }
      expect(seconds { subscription.cancel(timeout: 0.05) }).to be < 5
      expect(heard.to_a.first.message).to include("inside the block")
      gate.open
    end

    it "end when their handle is closed, after what was committed until then" do
      other = open_handle
      subscription = listen(to: other)
      other.register(single { 1 })
      other.worker(threads: 1).start
      other.create_task("flow").wait(timeout: 10)
      other.close
      eventually { !subscription.active? }
      expect(heard.to_a.last.name).to eq("worker.stopped")
      expect(heard.to_a.map(&:name)).to include("worker.started", "task.complete")
      handle.register(single { 1 })
      expect(heard.to_a.last.name).to eq("worker.stopped")
      expect(error_of { listen(to: other) }).to be_a(TaskerCore::HandleClosedError)
    end

    it "tell what this process commits through any handle, and nothing of other processes" do
      subscription = listen("task.created", to: open_handle)
      handle.register(single { 1 })
      mine = handle.create_task("flow")
      theirs = ask_program(<<~RUBY)
        puts TaskerCore.open(ENV["URL"]).create_task("flow").id.to_json
      RUBY
      expect(handle.task(theirs).status).to eq("pending")
      last = handle.create_task("flow")
      subscription.flush
      expect(heard.to_a.map(&:task_id)).to eq([mine.id, last.id])
    end

    it "tell of handlers and workers" do
      subscription = listen("handler.*", "worker.*")
      handle.register(diamond)
      worker = handle.worker(threads: 1).start
      worker.stop
      subscription.flush
      expect(heard.to_a.map(&:name)).to eq(%w[handler.registered worker.started worker.stopped])
      expect(heard.to_a.first).to have_attributes(task_name: "diamond", namespace: "default", version: "1.0.0",
                                                  task_id: nil, step_name: nil, from: nil, to: nil)
      started, stopped = heard.to_a.last(2)
      expect(started.session_id).to be_a(String).and eq(stopped.session_id)
      expect(started.at).to be_within(30).of(Time.now)
    end

    it "tell of a process that died, and of what it held" do
      first = start_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"], lease: 1)
        handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { puts("begun") || sleep } })
        handle.create_task("flow")
        handle.work
      RUBY
      await_words(first, /begun/)
      first.kill
      mine = open_handle(lease: 1)
      subscription = listen("lease.*", "step.*", to: mine)
      mine.register(single { 1 })
      mine.worker(threads: 1).start
      mine.tasks.first.wait(timeout: 20)
      subscription.flush
      names = heard.to_a.map(&:name)
      expect(names.tally).to include("lease.expired" => 1, "lease.recovered" => 1)
      expect(names - %w[lease.expired lease.recovered]).to eq(%w[step.pending step.in_progress step.complete])
      expired, recovered = heard.to_a.select { |event| event.name.start_with?("lease") }
      expect(recovered.metadata).to eq("steps" => 1)
      expect(expired.session_id).to eq(recovered.session_id)
      expect(expired.session_id).not_to eq(heard.to_a.last.session_id)
    end

    it "stay with the parent at a fork; the child subscribes for itself" do
      handle.register(single { 1 })
      subscription = listen("task.created")
      reader, writer = IO.pipe
      child = fork do
        told = Queue.new
        inherited = [subscription.active?, subscription.cancel.equal?(subscription)]
        handle.subscribe("task.created") { |event| told << event.task_id }
        task = handle.create_task("flow")
        writer.write([inherited, told.pop == task.id].to_json)
        writer.close
        exit!(0)
      end
      writer.close
      expect(JSON.parse(reader.read)).to eq([[false, true], true])
      Process.wait(child)
      mine = handle.create_task("flow")
      subscription.flush
      expect(heard.to_a.map(&:task_id)).to eq([mine.id])
    end

    it "are frozen values" do
      subscription = listen("task.created")
      handle.register(single { 1 })
      handle.create_task("flow")
      subscription.flush
      event = heard.to_a.first
      expect(event).to be_frozen.and eq(event.dup)
      expect(event.inspect).to eq("#<TaskerCore::Event 1 task.created #{event.task_id}>")
      expect(event.to_h).to include(name: "task.created", sequence: 1, from: nil, to: "pending")
      expect(event.to_h.values).to eq(event.to_h.keys.map { |field| event.public_send(field) })
      case event
      in { name: "task.created", task_id: String => id } then expect(id).to eq(event.task_id)
      end
      expect(JSON.parse(event.to_json)).to include("name" => "task.created", "sequence" => 1)
      expect(Marshal.load(Marshal.dump(event)).to_h).to eq(event.to_h)
      expect(TaskerCore::Event.names).to include("task.created", "step.complete", "worker.stopped")
    end
  end

  it "reach subscribers of the default handle" do
    TaskerCore.configure { |c| c.database_url = "sqlite::memory:" }
    heard = Queue.new
    TaskerCore.subscribe("task.created") { |event| heard << event }
    TaskerCore.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_) { 1 } })
    task = TaskerCore.create_task("hello")
    expect(heard.pop.task_id).to eq(task.id)
  ensure
    TaskerCore::OrchestrationManager.instance.close
    TaskerCore.configure { |c| c.database_url = nil }
  end
end
