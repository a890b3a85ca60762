# frozen_string_literal: true

RSpec.describe "Waiting" do
  each_database do
    # The handle works as if nothing had happened.
    def expect_usable(handle)
      handle.register(single("usable") { "usable" })
      task = handle.create_task("usable")
      handle.work(until: :idle, timeout: 10)
      expect(task.reload.step(:only).result).to eq("usable")
    end

    it "gives the ended task" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      waiting = Thread.new { task.wait(timeout: 20) }
      handle.work(until: :idle, timeout: 10)
      expect(waiting.value).to eq(task.reload).and have_attributes(status: "complete")
    end

    it "gives a task that ended long ago at once" do
      task = run_task(single { 1 })
      expect(seconds { expect(task.wait).to be_complete }).to be < 1
    end

    it "gives a task that ended long ago at once while others are waited for" do
      tasks = Array.new(10) { run_task(single { 1 }) }
      waiting = Thread.new { handle.create_task("flow").wait rescue nil } # rubocop:disable Style/RescueModifier
      sleep 0.6
      expect(seconds { tasks.each(&:wait) }).to be < 1
      handle.close
      waiting.join
    end

    it "gives a task that ended in error" do
      handle.register(single(retryable: false) { raise "no" })
      task = handle.create_task("flow")
      handle.worker(threads: 1).start
      expect(task.wait(timeout: 20)).to be_error
    end

    it "hears of a task that another process ended" do
      handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { 1 } })
      task = handle.create_task("flow")
      program = start_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"])
        handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { Process.pid } })
        handle.work(until: :idle, timeout: 20)
        handle.close
      RUBY
      expect(task.wait(timeout: 20).step(:only).result).to eq(program.pid)
      expect(program.outcome).to be_success
    end

    it "raises when its time is over" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      took = seconds { expect { task.wait(timeout: 0.2) }.to raise_error(TaskerCore::TimeoutError, /#{task.id}/) }
      expect(took).to be_between(0.15, 2)
      expect_usable(handle)
    end

    it "lets Timeout through" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      took = seconds { expect { Timeout.timeout(0.2) { task.wait } }.to raise_error(Timeout::Error) }
      expect(took).to be_between(0.15, 3)
      expect_usable(handle)
    end

    it "lets Timeout through work" do
      gate = self.gate
      handle.register(single { gate.wait })
      handle.create_task("flow")
      took = seconds do
        expect { Timeout.timeout(0.5) { handle.work(until: :idle, threads: 1) } }.to raise_error(Timeout::Error)
      end
      gate.open
      expect(took).to be_between(0.4, 3)
      eventually { handle.tasks(status: :complete).any? || handle.work(until: :idle, timeout: 5) }
      expect_usable(handle)
    end

    it "lets Thread#kill and Thread#raise through" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      killed, raised = Array.new(2) { Thread.new { task.wait } }
      [killed, raised].each { |thread| thread.report_on_exception = false }
      eventually { [killed, raised].all? { |thread| thread.status == "sleep" } }
      took = seconds do
        killed.kill
        raised.raise(IOError, "enough")
        expect([killed.join(5), error_of { raised.join(5) }.class]).to eq([killed, IOError])
      end
      expect(took).to be < 3
      expect_usable(handle)
    end

    it "lets other threads go on meanwhile" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      waiting = Thread.new { task.wait(timeout: 20) }
      eventually { waiting.status == "sleep" }
      ticks = 0
      ends = clock + 0.2
      ticks += 1 while clock < ends
      expect(ticks).to be > 10_000
      waiting.kill
    end

    it "lets many threads wait for many tasks" do
      handle.register(single { |ctx| ctx.context["n"] })
      waiting = Array.new(20) do |n|
        task = handle.create_task("flow", context: { n: n })
        Thread.new { task.wait(timeout: 20).step(:only).result }
      end
      handle.worker(threads: 3).start
      expect(waiting.map(&:value)).to eq((0...20).to_a)
    end

    {
      "Task#wait" => "task.wait",
      "work" => "handle.work",
      "work(until: :idle)" => "handle.work(until: :idle)",
      "Worker#join" => "handle.worker(threads: 1).start.join"
    }.each do |name, call|
      it "lets Ctrl-C through #{name}, and the handle works on" do
        program = start_program(<<~RUBY)
          handle = TaskerCore.open(ENV["URL"])
          handle.register({ name: "flow", steps: [{ name: "only", backoff: { kind: "linear", base: 600 } }] },
                          handlers: { only: ->(_) { raise "later" } })
          handle.register({ name: "usable", steps: [{ name: "only" }] }, handlers: { only: ->(_) { 1 } })
          task = handle.create_task("flow")
          begin
            handle.work(until: :idle, timeout: 0.3)
            puts "waiting"
            #{call}
            puts "came back"
          rescue Interrupt
            puts "interrupted"
          end
          task = handle.create_task("usable")
          handle.worker(threads: 1).start
          puts task.wait(timeout: 10).status
          handle.close
          puts "closed"
        RUBY
        await_words(program, /^waiting/)
        eventually { File.read("/proc/#{program.pid}/stat").split[2] == "S" }
        sleep 0.2 # There is no telling from outside that it has begun to wait.
        program.signal("INT")
        took = seconds { await_words(program, /^interrupted/, within: 5) }
        expect(took).to be < (call.include?("wait") ? 0.3 : 2)
        expect(program.outcome.lines).to eq(%w[waiting interrupted complete closed])
      end
    end

    it "lets TERM end a process that waits" do
      program = start_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"])
        handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { 1 } })
        task = handle.create_task("flow")
        puts "waiting"
        task.wait
      RUBY
      await_words(program, /^waiting/)
      program.signal("TERM")
      took = seconds { program.outcome }
      expect(took).to be < 3
      expect(program.outcome.status.termsig).to eq(Signal.list["TERM"])
    end
  end
end
