# frozen_string_literal: true

# Timeout, Thread#kill, Thread#raise and Ctrl-C at every point at which a call may wait, while the database does
# not answer: another process holds its locks, or an injected delay holds a read.
RSpec.describe "Interruptions" do
  # How long an interrupted call may take on a busy machine: far less than what it waits for.
  soon = 1.5

  # What waits for a write, and what waits for a read.
  writes = {
    "register" => ->(handle, _) { handle.register({ name: "new", steps: [{ name: "a", handler: ->(_) {} }] }) },
    "create_task" => ->(handle, _) { handle.create_task("flow") },
    "create_task_json" => ->(handle, _) { handle.create_task_json(%({"name": "flow"})) },
    "create_tasks" => ->(handle, _) { handle.create_tasks("flow", contexts: [{}, {}]) },
    "Worker#start" => ->(handle, _) { handle.worker(threads: 1).start },
    "work" => ->(handle, _) { handle.work(until: :idle, threads: 1) }
  }
  reads = {
    "task" => ->(handle, task) { handle.task(task.id) },
    "tasks.each" => ->(handle, _) { handle.tasks.each(&:id) },
    "tasks.first" => ->(handle, _) { handle.tasks.first },
    "count" => ->(handle, _) { handle.tasks.count },
    "Task#reload" => ->(_, task) { task.reload },
    "Task#steps" => ->(_, task) { task.steps },
    "Task#step" => ->(_, task) { task.step(:only) },
    "Task#history" => ->(_, task) { task.history }
  }

  # Interrupts the block, which has to wait, in each way.
  def interrupt(&block)
    came_back = Queue.new
    waiting = proc { (came_back << block) if block.call }
    threads = { Timeout::Error => Thread.new { Timeout.timeout(0.3, &waiting) },
                IOError => Thread.new(&waiting), nil => Thread.new(&waiting) }
    threads.each_value { |thread| thread.report_on_exception = false }
    eventually { threads.each_value.all?(&:stop?) }
    threads[IOError].raise(IOError, "enough")
    threads[nil].kill
    took = seconds { expect(threads.transform_values { |thread| ended_with(thread) }).to eq(threads.to_h { [_1, _1] }) }
    expect([came_back.size, took]).to match([0, be < 1.5])
  end

  # The class of the error that ended the thread, nil where none did.
  def ended_with(thread)
    thread.join(10) or raise "it is still waiting"
    nil
  rescue IOError, Timeout::Error => e
    e.class
  end

  # Whether this process has nothing of the database open.
  def database_free?
    return database.connections.zero? if postgres?

    Dir.children(File.dirname(database.path)) == [File.basename(database.path)]
  end

  # The handle works as if nothing had happened.
  def expect_usable(handle)
    handle.register(single("usable") { "usable" })
    task = handle.create_task("usable")
    handle.worker(threads: 1).start
    expect(task.wait(timeout: 20).step(:only).result).to eq("usable")
  end

  each_database do
    let(:patient) { sqlite? ? "#{database.url}?busy_timeout=30" : database.url }
    let(:handle) { open_handle(patient) }

    writes.each do |name, call|
      it "end #{name}, which waits for a write, and leave the handle usable" do
        handle.register(single { 1 })
        database.held { interrupt { call.call(handle, nil) } }
        expect_usable(handle)
      end
    end

    reads.each do |name, call|
      it "end #{name}, which waits for a read, and leave the handle usable" do
        handle.register(single { 1 })
        task = handle.create_task("flow")
        if postgres?
          database.held { interrupt { call.call(handle, task) } }
        else
          arm("transaction", :delay, times: 100, seconds: 20)
          interrupt { call.call(handle, task) }
          disarm_faults
        end
        expect_usable(handle)
      end
    end

    it "end Task#wait and Worker#join, and leave the handle usable" do
      handle.register({ name: "flow", steps: [{ name: "only", queue: "elsewhere" }] }, handlers: { only: ->(_) {} })
      task = handle.create_task("flow")
      worker = handle.worker(threads: 1, queues: %w[default]).start
      interrupt { task.wait }
      interrupt { worker.join }
      worker.stop
      expect_usable(handle)
    end

    it "end Worker#stop, which waits for a handler, and leave the handle usable" do
      gate = self.gate
      handle.register(single { gate.wait && 1 })
      task = handle.create_task("flow")
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      interrupt { worker.stop(timeout: 20) }
      gate.open
      expect(task.wait(timeout: 20)).to be_complete
      worker.join(10)
      expect_usable(handle)
    end

    it "end close, and what is open is closed all the same" do
      gate = self.gate
      handle.register(single { gate.wait && 1 })
      handle.create_task("flow")
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      database.held do
        interrupt { handle.close || true }
        expect([handle.closed?, worker.running?]).to eq([true, false])
      end
      gate.open
      eventually { database_free? }
      expect_usable(open_handle(patient))
    end

    it "end refresh and info at once, which wait for nothing" do
      handle
      database.held do
        expect(seconds { handles << handle.refresh }).to be < soon
        expect(seconds { handle.info[:status] }).to be < soon
      end
    end

    it "tell nobody what became of a creation, but its key does" do
      handle.register(single { 1 })
      key = nil
      database.held do
        12.times do |n|
          error_of { Timeout.timeout(0.01 * (n + 1)) { handle.create_task("flow", key: key = "k#{n}") } }
        end
      end
      ids = Array.new(12) { |n| handle.create_task("flow", key: "k#{n}", on_duplicate: :return).id }
      expect(ids.uniq.size).to eq(12)
      expect(handle.tasks.map(&:id)).to match_array(ids)
      expect(count("tasker_tasks")).to eq(12)
    end

    it "end the idle threads of a worker, which are made anew" do
      handle.register(single { 1 })
      worker = handle.worker(threads: 3).start
      mine = -> { Thread.list.select { |thread| thread.name.to_s.start_with?("tasker-worker") } }
      10.times do
        victims = eventually { mine.call.then { |threads| threads if threads.size == 3 && threads.all?(&:stop?) } }
        victims.each(&:kill)
        victims.each { |thread| expect(thread.join(soon)).to be(thread) }
      end
      expect(worker).to be_running
      tasks = Array.new(10) { handle.create_task("flow") }
      expect(tasks.map { |task| task.wait(timeout: 20).status }.uniq).to eq(["complete"])
    end

    it "by Ctrl-C end whatever the main thread waits for, one after the other" do
      handle.register({ name: "flow", steps: [{ name: "only", queue: "elsewhere" }] }, handlers: { only: ->(_) {} })
      program = start_program(<<~RUBY, env: { "URL" => patient })
        handle = TaskerCore.open(ENV["URL"])
        handle.register({ name: "flow", steps: [{ name: "only", queue: "elsewhere" }] }, handlers: { only: ->(_) {} })
        task = handle.create_task("flow")
        calls = {
          wait: -> { task.wait }, create_task: -> { handle.create_task("flow") },
          create_tasks: -> { handle.create_tasks("flow", contexts: [{}]) },
          register: -> { handle.register({ name: "b", steps: [{ name: "a", handler: ->(_) {} }] }) },
          start: -> { handle.worker(threads: 1).start }, work: -> { handle.work }
        }
        puts "ready"
        gets
        calls.each do |name, call|
          puts "\#{name} begins"
          call.call
          puts "\#{name} came back"
        rescue Interrupt
          puts "\#{name} interrupted"
        end
        gets
        task = handle.create_task("flow")
        handle.worker(threads: 1, queues: %w[elsewhere]).start
        puts task.wait(timeout: 20).status
      RUBY
      await_words(program, /^ready/)
      database.held do
        program.say("")
        %w[wait create_task create_tasks register start work].each do |name|
          await_words(program, /^#{name} begins/)
          eventually { program.asleep? }
          program.signal("INT")
          expect(seconds { await_words(program, /^#{name} interrupted/) }).to be < soon
        end
      end
      program.say("")
      outcome = program.outcome
      expect(outcome).to be_success, outcome.output
      expect(outcome.lines.last).to eq("complete")
    end
  end

  it "end open, at a server that takes the connection and never answers" do
    TCPServer.open("127.0.0.1", 0) do |silent|
      interrupt { TaskerCore.open("postgres://me@127.0.0.1:#{silent.addr[1]}/none?connect_timeout=20") }
    end
  end

  on_sqlite do
    it "end open, at a file that another process is writing" do
      # One that has to be migrated.
      File.delete(database.path)
      database.query("CREATE TABLE other (n)")
      database.held { interrupt { TaskerCore.open("#{database.url}?busy_timeout=20") } }
      expect_usable(handle)
    end
  end
end
