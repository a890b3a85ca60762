# frozen_string_literal: true

RSpec.describe "Forks" do
  # What each program begins with.
  setup = <<~RUBY
    FLOW = { name: "flow", steps: [{ name: "a" }, { name: "b", depends_on: "a" }] }.freeze
    HANDLERS = { a: ->(ctx) { ctx.context["n"] }, b: ->(ctx) { ctx.result(:a) * 2 } }.freeze
    handle = TaskerCore.open(ENV["URL"])
    handle.register(FLOW, handlers: HANDLERS)
  RUBY

  each_database do
    # The database is whole, and every task ended as it should.
    def expect_complete(tasks)
      expect(handle.tasks.count).to eq(tasks)
      expect(handle.tasks(status: :complete).count).to eq(tasks)
      expect(count("tasker_workflow_steps")).to eq(tasks * 2)
      expect(handle.tasks.first(20).map { |task| task.step(:b).result }).to all(be_even)
      return unless sqlite?

      handle.close
      expect(database.query("PRAGMA integrity_check")).to eq([["ok"]])
    end

    it "ends a child in which a handler that forked it returns or raises" do
      outcome = run_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"])
        parent = ->(_) { (pid = fork) ? Process.wait2(pid).last.exited? : "from the child" }
        exiting = ->(_) { (pid = fork) ? Process.wait2(pid).last.exitstatus : exit(3) }
        handle.register({ name: "forks", steps: [{ name: "returns" }, { name: "exits" }] },
                        handlers: { returns: parent, exits: exiting })
        task = handle.create_task("forks")
        handle.work(until: :idle, timeout: 30)
        puts JSON.generate(task.steps.map { |step| [step.status, step.result, step.attempts] })
      RUBY
      expect(outcome).to be_success, outcome.output
      expect(outcome.json).to eq([["complete", true, 1], ["complete", 3, 1]])
    end

    it "lets children and their parent create and run tasks at the same time, as Puma's do", limit: 90 do
      outcome = run_program(<<~RUBY)
        #{setup}
        worker = handle.worker(threads: 2).start
        first = handle.create_task("flow", context: { n: 1 })
        # So that each fork comes in the middle of commits.
        creators = Array.new(3) do
          Thread.new { Array.new(40) { |n| handle.create_task("flow", context: { n: n }).id } }
        end
        children = Array.new(8) do |child|
          handle.create_task("flow", context: { n: child })
          fork do
            GC.start
            20.times { |n| handle.create_task("flow", context: { n: n }) }
            handle.create_tasks("flow", contexts: Array.new(10) { |n| { n: n } })
            summary = handle.work(until: :idle, threads: 2, timeout: 60)
            exit!(summary.timed_out? ? 2 : 0)
          end
        end
        20.times { |n| handle.create_task("flow", context: { n: n }) }
        statuses = children.map { |pid| Process.wait2(pid).last.exitstatus }
        ids = creators.flat_map(&:value)
        handle.work(until: :idle, timeout: 60)
        worker.stop(timeout: 10)
        puts first.reload.status
        puts ids.count { |id| handle.task(id).complete? }
        puts JSON.generate(statuses)
        handle.close
      RUBY
      expect(outcome).to be_success, outcome.output
      expect(outcome.lines).to eq(["complete", "120", JSON.generate([0] * 8)])
      expect_complete(1 + 120 + 8 + 20 + (8 * 30))
    end

    it "let a child only read, or do nothing, and collect its parent's garbage" do
      outcome = run_program(<<~RUBY)
        #{setup}
        worker = handle.worker(threads: 2).start
        tasks = Array.new(10) { |n| handle.create_task("flow", context: { n: n }) }
        reading = Array.new(3) do
          fork do
            GC.start
            exit!(handle.tasks.count == 10 && tasks.all? { |task| task.reload.id == task.id } ? 0 : 2)
          end
        end
        lazy = Array.new(3) { fork { tasks = handle = worker = nil || GC.start } }
        puts [*reading, *lazy].map { |pid| Process.wait2(pid).last.exitstatus }.tally
        tasks.each { |task| task.wait(timeout: 20) }
        worker.stop(timeout: 10)
        handle.close
      RUBY
      expect(outcome.lines).to eq(["{0=>6}"]), outcome.output
      expect_complete(10)
    end

    it "let a child end in the usual way, without harm to its parent" do
      outcome = run_program(<<~RUBY)
        #{setup}
        worker = handle.worker(threads: 1).start
        3.times do
          pid = fork { handle.create_task("flow", context: { n: 1 }) }
          puts Process.wait2(pid).last.exitstatus
        end
        puts worker.running?
        puts handle.create_task("flow", context: { n: 3 }).wait(timeout: 20).step(:b).result
        handle.close
      RUBY
      expect(outcome).to be_success, outcome.output
      expect(outcome.lines).to eq(%w[0 0 0 true 6])
      handle.register({ name: "flow", steps: [{ name: "a" }, { name: "b", depends_on: "a" }] },
                      handlers: { a: ->(_) { 1 }, b: ->(_) { 2 } })
      handle.work(until: :idle, timeout: 20)
      expect_complete(4)
    end

    it "let a child close what it inherited, and open anew" do
      outcome = run_program(<<~RUBY)
        #{setup}
        pid = fork do
          handle.close
          own = TaskerCore.open(ENV["URL"])
          own.register(FLOW, handlers: HANDLERS)
          task = own.create_task("flow", context: { n: 4 })
          own.work(until: :idle, timeout: 20)
          puts task.reload.step(:b).result
          own.close
        end
        Process.wait(pid)
        puts handle.create_task("flow", context: { n: 5 }).status
        handle.work(until: :idle, timeout: 20)
        handle.close
      RUBY
      expect(outcome.lines).to eq(%w[8 pending])
      expect_complete(2)
    end

    it "give a child a pid of its own, and no worker of its parent's" do
      lines = run_program(<<~RUBY).lines
        #{setup}
        worker = handle.worker(threads: 1).start
        pid = fork { puts [handle.info.to_h[:pid] == Process.pid, worker.running?].join(" ") }
        Process.wait(pid)
        puts worker.running?
        worker.stop(timeout: 5)
        handle.close
      RUBY
      expect(lines).to eq(["true false", "true"])
    end

    it "may come while threads are at work, and from forks of forks" do
      outcome = run_program(<<~RUBY)
        #{setup}
        busy = Array.new(3) { Thread.new { 30.times { |n| handle.create_task("flow", context: { n: n }) } } }
        pid = fork do
          grandchild = fork { handle.create_task("flow", context: { n: 2 }) }
          handle.create_task("flow", context: { n: 1 })
          Process.wait(grandchild)
        end
        Process.wait(pid)
        busy.each(&:join)
        handle.work(until: :idle, timeout: 30)
        handle.close
        puts "done"
      RUBY
      expect(outcome.lines).to eq(["done"])
      expect_complete(92)
    end

    it "may come in a signal's trap, also while another fork is under way" do
      outcome = run_program(<<~RUBY)
        #{setup}
        children = []
        trap("USR1") { children << fork { handle.create_task("flow", context: { n: 1 }) } }
        worker = handle.worker(threads: 1).start
        10.times do |n|
          signalling = Thread.new { Process.kill("USR1", Process.pid) }
          children << fork { handle.create_task("flow", context: { n: n }) }
          signalling.join
          sleep 0.001 until children.size == (n + 1) * 2
        end
        puts children.map { |pid| Process.wait2(pid).last.exitstatus }.tally
        worker.stop(timeout: 10)
        handle.work(until: :idle, timeout: 20)
        handle.close
      RUBY
      expect(outcome.lines).to eq(["{0=>20}"]), outcome.output
      expect_complete(20)
    end

    it "leave system, spawn and backquotes as they are" do
      lines = run_program(<<~RUBY).lines
        #{setup}
        task = handle.create_task("flow", context: { n: 1 })
        system("true")
        Process.wait(spawn("true"))
        puts `echo quoted`
        handle.work(until: :idle, timeout: 20)
        puts task.reload.status
        handle.close
      RUBY
      expect(lines).to eq(%w[quoted complete])
    end

    it "include becoming a daemon" do
      Dir.mktmpdir do |folder|
        run_program(<<~RUBY, folder)
          #{setup}
          folder = ARGV[0]
          handle.create_task("flow", context: { n: 1 })
          Process.daemon(true, true)
          handle.create_task("flow", context: { n: 2 })
          handle.work(until: :idle, timeout: 20)
          handle.close
          File.write(File.join(folder, "new"), "ended")
          File.rename(File.join(folder, "new"), File.join(folder, "ended"))
        RUBY
        eventually(within: 20) { File.exist?("#{folder}/ended") }
      end
      expect_complete(2)
    end
  end

  it "and new working directories leave a relative path what it was" do
    Dir.mktmpdir do |folder|
      run_program(<<~RUBY, folder, env: { "URL" => "sqlite::memory:" })
        Dir.chdir(ARGV[0])
        Dir.mkdir("elsewhere")
        handle = TaskerCore.open("sqlite:relative.sqlite3", ttl: 60)
        handle.register({ name: "flow", steps: [{ name: "only", handler: ->(_) { 1 } }] })
        task = handle.create_task("flow")
        Dir.chdir("elsewhere")
        Process.wait(fork { handle.work(until: :idle, timeout: 20) })
        File.write("status", task.reload.status)
      RUBY
      expect(File.read("#{folder}/elsewhere/status")).to eq("complete")
      expect(Dir.children("#{folder}/elsewhere")).to eq(["status"])
    end
  end

  it "leave a database in memory to the parent, and say so" do
    lines = run_program(<<~RUBY, env: { "URL" => "sqlite::memory:" }).lines
      #{setup}
      task = handle.create_task("flow", context: { n: 1 })
      pid = fork do
        handle.create_task("flow", context: { n: 1 })
      rescue TaskerCore::Error => e
        puts [e.class, e.message.include?("fork")].join(" ")
      end
      Process.wait(pid)
      handle.work(until: :idle, timeout: 20)
      puts task.reload.status
    RUBY
    expect(lines).to eq(["TaskerCore::ConfigurationError true", "complete"])
  end
end
