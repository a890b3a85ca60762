# frozen_string_literal: true

RSpec.describe TaskerCore::OrchestrationHandle do
  each_database do
    # Every operation that needs the database.
    def operations(handle, task)
      {
        register: -> { handle.register(single("another") { 1 }) },
        create_task: -> { handle.create_task("flow") },
        create_tasks: -> { handle.create_tasks("flow", contexts: [{}]) },
        task: -> { handle.task(task.id) },
        tasks: -> { handle.tasks.to_a },
        work: -> { handle.work(until: :idle) },
        worker: -> { handle.worker(threads: 1).start },
        "Task#reload": -> { task.reload },
        "Task#steps": -> { task.steps },
        "Task#wait": -> { task.wait(timeout: 1) }
      }
    end

    it "says what it is" do
      info = handle.info.to_h
      expect(info).to include(:id, :created_at, :expires_at, :status, :backend, :pool, :pid)
      expect(info).to include(status: "active", backend: database.backend, pid: Process.pid, expires_at: nil)
      expect(info[:created_at]).to be_utc.and be_within(10).of(Time.now)
      expect(info[:pool].to_h).to include(:size)
      expect(handle.inspect).to include(database.backend)
    end

    it "is valid until it is closed, when it has no ttl" do
      expect(handle).to be_valid
      expect(handle.validate!).to be_truthy
      expect([handle.expires_in, handle.expired?, handle.closed?]).to eq([nil, false, false])
    end

    it "expires when its ttl is over" do
      short = open_handle(ttl: 0.4)
      expect(short.info.to_h[:expires_at]).to be_within(5).of(Time.now)
      expect(short.expires_in).to be_between(0, 0.4)
      expect(short).to be_valid
      eventually { short.expired? }
      expect([short.valid?, short.expires_in, short.info.to_h[:status]]).to eq([false, 0, "expired"])
    end

    it "refuses every operation once it has expired, and says how to go on" do
      short = open_handle(ttl: 0.5)
      short.register(single { 1 })
      task = short.create_task("flow")
      eventually { short.expired? }
      operations(short, task).each do |name, operation|
        error = error_of(&operation)
        expect([name, error.class]).to eq([name, TaskerCore::HandleExpiredError])
        expect(error.message).to include("refresh", short.info.to_h[:id])
      end
      expect { short.validate! }.to raise_error(TaskerCore::HandleExpiredError)
    end

    it "gives a new handle with its templates and ttl" do
      short = open_handle(ttl: 0.5)
      short.register(single { "run" })
      eventually { short.expired? }
      fresh = short.refresh
      handles << fresh
      expect(fresh).to be_valid
      expect(fresh.info.to_h[:id]).not_to eq(short.info.to_h[:id])
      expect(fresh.expires_in).to be_between(0.01, 0.5)
      task = fresh.create_task("flow")
      expect(task.status).to eq("pending")
      lasting = handle
      lasting.register(single { "run" })
      lasting.work(until: :idle, timeout: 10)
      expect(lasting.task(task.id).step(:only).result).to eq("run")
    end

    it "runs what a refreshed handle took over" do
      handle.register(single { "run" })
      fresh = handle.refresh
      handles << fresh
      handle.close
      task = fresh.create_task("flow")
      fresh.work(until: :idle, timeout: 10)
      expect(task.reload.step(:only).result).to eq("run")
    end

    it "refuses every operation once it is closed, and still says what it was" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      handle.close
      operations(handle, task).each do |name, operation|
        expect([name, error_of(&operation).class]).to eq([name, TaskerCore::HandleClosedError])
      end
      expect([handle.closed?, handle.valid?, handle.info.to_h[:status]]).to eq([true, false, "closed"])
      expect { handle.refresh }.to raise_error(TaskerCore::HandleClosedError)
      expect(handle.inspect).to include("closed")
    end

    it "can be closed as often as one likes" do
      3.times { handle.close }
      expect(handle).to be_closed
    end

    it "stays as it is when another one on the same database is closed" do
      handle.register(single { 1 })
      other = open_handle
      other.close
      expect(run_task(single { 2 }).status).to eq("complete")
    end

    it "sees what other handles on the database did" do
      other = open_handle
      handle.register(single { 1 })
      task = handle.create_task("flow", context: { n: 1 })
      expect(other.task(task.id)).to eq(task)
    end

    it "is closed at once even while others wait for a task, who are told" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      waiting = Thread.new { error_of { task.wait(timeout: 8) } }
      eventually { waiting.status == "sleep" }
      expect(seconds { handle.close }).to be < 2
      expect(seconds { waiting.join }).to be < 2
      expect(waiting.value).to be_a(TaskerCore::HandleClosedError)
    end

    it "can be used by many threads at once" do
      handle.register(single { 1 })
      threads = Array.new(8) { |n| Thread.new { Array.new(5) { handle.create_task("flow", context: { n: n }).id } } }
      expect(threads.flat_map(&:value).uniq.size).to eq(40)
    end

    # What this process has open of the database: connections by their pids, or descriptors of its files.
    def held
      if postgres?
        return database.query("SELECT pid FROM pg_stat_activity WHERE datname = current_database() " \
                              "AND pid <> pg_backend_pid() AND backend_type = 'client backend'").flatten.sort
      end

      Dir.children("/proc/self/fd").filter_map do |fd|
        path = File.readlink("/proc/self/fd/#{fd}")
        "#{fd} #{path}" if path.start_with?(database.path)
      rescue Errno::ENOENT
        nil
      end.sort
    end

    # Has every connection of the pool opened, by as many calls at once.
    def fill_pool
      handle.tasks.count
      arm("transaction", :delay, times: 5, seconds: 20) if sqlite?
      threads = nil
      fill = lambda do
        threads = Array.new(5) { Thread.new { handle.tasks.count } }
        eventually { handle.info[:pool].to_h[:size] == 5 }
      end
      sqlite? ? fill.call : database.held(&fill)
      disarm_faults
      threads.each(&:join)
      # The connection that listens is beside the pool.
      eventually { held.then { |now| now if sqlite? || now.size == 6 } }
    end

    it "opens no connection for a thousand calls, once its pool is full" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      before = fill_pool
      calls = [-> { handle.task(task.id) }, -> { handle.tasks.count }, -> { handle.create_task("flow") },
               -> { task.reload.steps }, -> { handle.info[:status] }]
      1_000.times { |n| calls[n % calls.size].call }
      expect(held).to eq(before)
    end

    it "shares what is open with the others on its database" do
      handle.register(single { 1 })
      before = fill_pool
      others = Array.new(10) { open_handle.tap { |other| other.create_task("flow") && other.tasks.count } }
      expect(held).to eq(before)
      expect(others.map { |other| other.info[:pool].to_h }.uniq).to eq([handle.info[:pool].to_h])
      expect(others.map(&:id).uniq.size).to eq(10)
    end

    it "tells how much of its pool is in use" do
      small = open_handle("#{database.url}?pool=3")
      expect(small.info[:pool].to_h).to include(max: 3, in_use: 0)
      arm("transaction", :delay, times: 2, seconds: 20)
      busy = Array.new(2) { Thread.new { small.tasks.count } }
      eventually { small.info[:pool].to_h.slice(:in_use, :idle, :size) == { in_use: 2, idle: 0, size: 2 } }
      disarm_faults
      busy.each(&:join)
      eventually { small.info[:pool].to_h.slice(:in_use, :idle) == { in_use: 0, idle: 2 } }
    end

    it "is refreshed while it is used, and what is under way on the old one ends as usual" do
      gate = self.gate
      old = open_handle(ttl: 1.5)
      old.register(single { |ctx| gate.wait && ctx.context["n"] })
      worker = old.worker(threads: 2).start
      task = old.create_task("flow", context: { n: 7 })
      waiting = Thread.new { task.wait(timeout: 20) }
      eventually { gate.waiting == 1 }
      creating = database.held do
        thread = Thread.new { old.create_task("flow", context: { n: 8 }).context }
        eventually { thread.stop? }
        fresh = old.refresh
        handles << fresh
        expect([fresh.id == old.id, fresh.valid?]).to eq([false, true])
        eventually { old.expired? }
        thread
      end
      expect([creating.value, worker.running?]).to eq([{ "n" => 8 }, true])
      gate.open
      expect(waiting.value).to be_complete
      # A task reads through the handle that it came from.
      expect { waiting.value.steps }.to raise_error(TaskerCore::HandleExpiredError)
      # By now the one that followed may have expired, too.
      handles << handles.last.refresh
      expect(handles.last.task(task.id).step(:only).result).to eq(7)
      worker.stop
    end

    it "may be closed by one thread while fifty call: each call ends, or is told" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      handle.worker(threads: 2).start
      calls = [-> { handle.create_task("flow") }, -> { handle.tasks.first(3) }, -> { task.reload }, -> { task.steps },
               -> { task.wait(timeout: 20) }, -> { handle.worker(threads: 1).start }, -> { handle.refresh.close },
               -> { handle.close }, -> { handle.register(single("other") { 1 }) }, -> { handle.info[:status] }]
      started = Queue.new
      threads = Array.new(50) do |n|
        Thread.new do
          started << n
          5.times { |m| calls[(n + m) % calls.size].call }
          nil
        rescue TaskerCore::Error => e
          e.class
        end
      end
      started.pop
      closing = Thread.new { handle.close }
      expect([*threads, closing].map { |thread| thread.join(20) }).to all(be_a(Thread))
      expect(threads.map(&:value).uniq - [nil, TaskerCore::HandleClosedError]).to eq([])
      expect(handle).to be_closed
    end

    it "lets go of everything when it is garbage" do
      outcome = run_program(<<~RUBY)
        def use
          handle = TaskerCore.open(ENV["URL"])
          handle.register({ name: "flow", steps: [{ name: "only", handler: ->(_) { 1 } }] })
          task = handle.create_task("flow")
          handle.work(until: :idle, timeout: 20)
          task.reload.status
        end
        puts Array.new(3) { Thread.new { use }.value }
        deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 10
        open = lambda do
          Dir.children("/proc/self/fd").count do |fd|
            File.readlink("/proc/self/fd/\#{fd}").match?(/socket|sqlite3/)
          rescue Errno::ENOENT
            false
          end
        end
        GC.start || sleep(0.01) until open.call.zero? || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
        puts open.call
      RUBY
      expect(outcome.lines).to eq(%w[complete complete complete 0])
      eventually { held.empty? }
    end

    it "refuses a ttl that makes no sense" do
      [0, -1, "long", Float::NAN].each do |ttl|
        expect { open_handle(ttl: ttl) }.to raise_error(TaskerCore::Error, /ttl/)
      end
    end
  end

  on_postgres do
    it "shares its connections with the others on its URL" do
      first = open_handle("#{database.url}?pool=2")
      others = Array.new(5) { open_handle("#{database.url}?pool=2") }
      [first, *others].each { |one| one.register(single { 1 }) && one.tasks.count }
      # Beside the pool's, one may listen.
      expect(database.connections).to be_between(1, 3)
    end

    it "leaves no connection behind when the last one is closed" do
      first = handle
      second = open_handle
      first.worker(threads: 2).start
      expect(database.connections).to be > 0
      first.close
      expect(second.tasks.count).to eq(0)
      second.close
      eventually(within: 3) { database.connections.zero? }
    end

    it "works on when the server ended its connections" do
      handle.register(single { |ctx| ctx.context["n"] })
      handle.worker(threads: 1).start
      handle.create_task("flow").wait(timeout: 10)
      database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity " \
                     "WHERE datname = current_database() AND pid <> pg_backend_pid()")
      task = eventually do
        handle.create_task("flow", context: { n: 5 }, key: "after", on_duplicate: :return)
      rescue TaskerCore::DatabaseError => e
        raise unless e.retryable?
      end
      expect(task.wait(timeout: 20).step(:only).result).to eq(5)
    end
  end

  on_sqlite do
    it "holds no file once the last one is closed" do
      second = open_handle
      handle.register(single { 1 })
      handle.create_task("flow")
      handle.close
      second.close
      open_files = Dir["/proc/self/fd/*"].filter_map { |fd| File.readlink(fd) rescue nil } # rubocop:disable Style/RescueModifier
      expect(open_files.grep(/#{Regexp.escape(database.path)}/)).to eq([])
      FileUtils.rm_f(Dir["#{database.path}*"])
      expect(open_handle.tasks.count).to eq(0)
    end

    it "leaves nothing beside the file when it is closed" do
      handle.register(single { 1 })
      handle.create_task("flow")
      handle.close
      expect(Dir.children(File.dirname(database.path))).to eq([File.basename(database.path)])
    end

    it "finds the file by a relative path too" do
      Dir.chdir(File.dirname(database.path)) do
        relative = open_handle("sqlite:#{File.basename(database.path)}")
        relative.register(single { 1 })
        relative.create_task("flow")
        expect(handle.tasks.count).to eq(1)
      end
    end

    it "on memory has a database of its own" do
      one = open_handle("sqlite::memory:")
      two = open_handle("sqlite::memory:")
      [one, two].each { |handle| handle.register(single { 1 }) }
      one.create_task("flow")
      one.work(until: :idle, timeout: 10)
      expect([one, two].map { |handle| handle.tasks.count }).to eq([1, 0])
    end
  end
end
