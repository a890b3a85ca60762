# frozen_string_literal: true

# What happens when this library itself is at fault. Faults are injected at the points of src/fault_points.
RSpec.describe "A fault inside tasker_core" do
  # Where the source of an injected panic stands.
  place = %r{\Asrc/fault_points/armed\.rs:\d+:\d+\z}

  let(:told) { Queue.new }

  # Starts a worker that says what it is told in the background.
  def start_worker(on = handle, threads: 1)
    on.worker(threads: threads, on_error: ->(error, context) { told << error unless context }).start
  end

  # The next thing that was told in the background.
  def next_told
    eventually { !told.empty? && told.pop }
  end

  def expect_works(task = handle.create_task("flow"))
    expect(task.wait(timeout: 20).step(:only)).to have_attributes(status: "complete", result: 1)
  end

  each_database do
    def commit(moment) = "#{database.backend}_#{moment}_commit"

    {
      "native_method" => ->(handle) { handle.create_task("flow") },
      "conversion_in" => ->(handle) { handle.create_task("flow") },
      "conversion_out" => ->(handle) { handle.create_tasks("flow", contexts: [{}]) },
      "call" => ->(handle) { handle.tasks.count },
      "transaction" => ->(handle) { handle.tasks.to_a }
    }.each do |point, call|
      it "at #{point} is an error with its words and place, and the next call works" do
        handle.register(single { 1 })
        arm(point, :panic)
        error = error_of { call.call(handle) }
        expect(error).to be_a(TaskerCore::InternalError)
        expect(error.message).to include("please report it", "a fault was injected at #{point}", error.place)
        expect(error.place).to match(place)
        expect(faults_over?).to be(true)
        call.call(handle)
        handle.worker(threads: 1).start
        expect_works
      end
    end

    it "leaves no worker behind that nobody was given" do
      handle.register(single { 1 })
      signals = Array.new(2) { TaskerCore::Waiting::Signal.new }
      call = handle.native.worker({ threads: 1, queues: nil }, *signals.map(&:native))
      eventually { call.done?(nil) }
      arm("native_method", :panic)
      expect(error_of { call.value }).to be_a(TaskerCore::InternalError)
      handle.worker(threads: 1).start
      expect_works
      expect(error_of { call.value }.message).to include("a value that it does not have")
    ensure
      signals&.each(&:close)
    end

    it "says nothing on standard error: whoever called is told" do
      handle
      arm("call", :panic)
      expect { error_of { handle.tasks.count } }.not_to output.to_stderr_from_any_process
    end

    %w[before after].each do |moment|
      it "#{moment} a commit is an error, and the key tells whether the task was created" do
        handle.register(single { 1 })
        arm(commit(moment), :panic)
        error = error_of { handle.create_task("flow", key: "once") }
        expect(error).to have_attributes(class: TaskerCore::InternalError, place: match(place))
        expect(handle.tasks(key: "once").count).to eq(moment == "after" ? 1 : 0)
        task = handle.create_task("flow", key: "once", on_duplicate: :return)
        expect(handle.tasks.map(&:id)).to eq([task.id])
        handle.worker(threads: 1).start
        expect_works(task)
      end

      it "#{moment} the commits of a worker costs no step and records no result twice" do
        ran = journal
        handle.register(single { |ctx| (ran << ctx.context["n"]) && 1 })
        start_worker(threads: 2)
        ids = Array.new(30) do |n|
          arm(commit(moment), :panic) if (n % 10) == 5
          handle.create_task("flow", context: { n: n }, key: n.to_s).id
        rescue TaskerCore::InternalError
          handle.create_task("flow", context: { n: n }, key: n.to_s, on_duplicate: :return).id
        end
        ids.each { |id| expect_works(handle.task(id)) }
        expect(handle.tasks.count).to eq(30)
        expect(completions).to eq(30)
        expect(ran.to_a.uniq.size).to eq(30)
      end
    end

    it "between a worker's threads and its steps is told, and another thread takes the place" do
      handle.register(single { 1 })
      worker = start_worker
      eventually { worker.stats[:running].zero? }
      arm("native_method", :panic)
      expect(next_told).to have_attributes(class: TaskerCore::InternalError, message: /native_method/)
      expect_works
    end

    # What was started would claim steps that nobody runs.
    %w[answer conversion_out].each do |point|
      it "at #{point} of a worker's start leaves no worker behind" do
        handle.register(single { 1 })
        arm(point, :error)
        expect(error_of { handle.worker(threads: 1).start }).to be_a(TaskerCore::InternalError)
        handle.worker(threads: 1).start
        Array.new(20) { handle.create_task("flow") }.each { |task| expect_works(task) }
      end
    end

    it "in a worker's loop is told, and the loop goes on" do
      other = open_handle(lease: 1)
      other.register(single { 1 })
      worker = start_worker(other)
      arm("dispatcher", :panic)
      task = other.create_task("flow")
      error = next_told
      expect(error).to be_a(TaskerCore::InternalError)
      expect(error.message).to include("a worker's loop", "dispatcher")
      expect(error.place).to match(place)
      expect(worker).to be_running
      expect(task.wait(timeout: 20).step(:only)).to have_attributes(status: "complete", attempts: 1)
    end

    it "in the renewal of the session is told, and the session is kept" do
      other = open_handle(lease: 0.6)
      gate = self.gate
      other.register(single { gate.wait && 1 })
      start_worker(other, threads: 2)
      task = other.create_task("flow")
      eventually { gate.waiting == 1 }
      arm("keeper", :panic)
      expect(next_told).to have_attributes(class: TaskerCore::InternalError, message: /session.*keeper/)
      renewed = -> { database.query("SELECT expires_at FROM tasker_sessions") }
      before = renewed.call
      eventually { renewed.call != before }
      gate.open
      expect(task.wait(timeout: 20).step(:only)).to have_attributes(status: "complete", attempts: 1)
    end

    it "in the look for tasks that are waited for leaves nobody waiting" do
      handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { 1 } })
      task = handle.create_task("flow")
      arm("look", :panic)
      waiting = Thread.new { task.wait(timeout: 20) }
      eventually { faults_over? }
      run_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"])
        handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { 1 } })
        handle.work(until: :idle, timeout: 20)
        handle.close
      RUBY
      expect(waiting.value.status).to eq("complete")
    end

    it "in taking events is told, and the subscriber goes on" do
      handle.register(single { 1 })
      heard = Queue.new
      subscription = handle.subscribe("task.complete", on_error: ->(error, _) { told << error }) do |event|
        heard << event.task_id
      end
      arm("event_taken", :panic)
      handle.worker(threads: 1).start
      task = handle.create_task("flow")
      expect(next_told).to have_attributes(class: TaskerCore::InternalError, message: /event_taken/)
      expect(eventually { !heard.empty? && heard.pop }).to eq(task.id)
      expect(subscription).to be_active
    end

    it "in telling what was committed is the error of whoever committed it, and of nobody else" do
      handle.register(single { 1 })
      events = Queue.new
      subscription = handle.subscribe("task.*") { |event| events << event.name }
      arm("feed_told", :panic)
      expect(error_of { handle.create_task("flow", key: "once") }).to be_a(TaskerCore::InternalError)
      handle.worker(threads: 1).start
      expect_works(handle.create_task("flow", key: "once", on_duplicate: :return))
      subscription.flush
      expect(Array.new(events.size) { events.pop }).to eq(%w[task.in_progress task.complete])
    end

    it "is never the end, wherever it is" do
      handle.register(single(backoff: "none", retry_limit: 20) { 1 })
      start_worker(threads: 2)
      Support::Faults.points.product(%i[panic error]).shuffle(random: Random.new(RSpec.configuration.seed))
                     .each do |point, action|
        arm(point, action)
        key = "#{point} #{action}"
        task = eventually(within: 20) do
          handle.create_task("flow", key: key, on_duplicate: :return)
        rescue TaskerCore::InternalError, TaskerCore::ValidationError, TaskerCore::DatabaseError
          nil
        end
        done = eventually(within: 20) do
          task.reload.complete?
        rescue TaskerCore::InternalError, TaskerCore::DatabaseError
          nil
        end
        expect([key, done]).to eq([key, true])
        disarm_faults
      end
      expect(handle.tasks(status: :complete).count).to eq(Support::Faults.points.size * 2)
    end
  end

  on_sqlite do
    it "between answers is the error of the one that it meets" do
      handle.register(single { 1 })
      arm("sqlite_reply", :panic)
      expect(error_of { handle.create_task("flow") }).to have_attributes(
        class: TaskerCore::InternalError, message: /sqlite_reply/
      )
      start_worker
      expect_works
    end

    it "in opening is an error, and the next try opens" do
      File.truncate(database.path, 0)
      arm("migration", :panic)
      expect(error_of { handle }).to have_attributes(
        class: TaskerCore::InternalError, message: /migration/
      )
      expect(handle.tasks.count).to eq(0)
    end

    it "in the thread that writes is told, and that thread goes on" do
      handle.register(single { 1 })
      start_worker
      arm("sqlite_writer", :panic)
      expect(next_told).to have_attributes(class: TaskerCore::InternalError, message: /writes to SQLite/)
      expect(handle.create_task("flow").wait(timeout: 20)).to be_complete
    end
  end

  on_postgres do
    it "in the wake-ups between processes is told, and they go on" do
      database
      arm("notifier", :panic)
      handle.register(single { 1 })
      start_worker
      expect(next_told).to have_attributes(class: TaskerCore::InternalError, message: /wake-ups/)
      listening = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tasker_core listener' " \
                  "AND datname = current_database()"
      eventually { database.query(listening) == [["1"]] }
    end
  end
end
