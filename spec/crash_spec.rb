# frozen_string_literal: true

RSpec.describe "Crashes" do
  # A program that works on `flow` and says which of its steps begins. The step `stuck` never ends, as long as the
  # file is there that ENV["STUCK"] names.
  program = <<~RUBY
    say = ->(ctx) { puts "begins \#{ctx.step_name} \#{ctx.attempt}" }
    handlers = {
      before: ->(ctx) { say.call(ctx) || ctx.idempotency_key },
      stuck: lambda do |ctx|
        say.call(ctx)
        sleep 0.01 while File.exist?(ENV.fetch("STUCK"))
        ctx.result(:before) == ctx.idempotency_key ? "same key" : "another key"
      end,
      after: ->(ctx) { say.call(ctx) || ctx.result(:stuck) }
    }
    handle = TaskerCore.open(ENV["URL"], lease: 1)
    handle.register({ name: "flow", steps: [{ name: "before" }, { name: "stuck", depends_on: "before" },
                                            { name: "after", depends_on: "stuck" }] }, handlers: handlers)
  RUBY

  each_database do
    around do |example|
      Tempfile.create("stuck") do |file|
        @stuck = file.path
        example.run
      end
    end

    def start(source)
      start_program(source, env: { "STUCK" => @stuck })
    end

    # A task whose worker was killed while the step `stuck` ran.
    def crashed(program)
      first = start(<<~RUBY)
        #{program}
        puts handle.create_task("flow", key: "crash").id
        handle.work
      RUBY
      await_words(first, /^begins stuck 1/)
      task = eventually { handle.tasks(key: "crash").first.then { |t| t if t.step(:before).complete? } }
      first.kill
      task
    end

    it "are made up for by another process when the lease ends, and nothing recorded runs again" do
      task = crashed(program)
      expect(task.reload.step(:stuck).status).to eq("in_progress")
      key = task.step(:before).result
      File.delete(@stuck)
      second = start(<<~RUBY)
        #{program}
        handle.worker(threads: 2).start
        puts handle.task(handle.tasks(key: "crash").first.id).wait(timeout: 20).status
        handle.close
      RUBY
      outcome = second.outcome
      expect(outcome.lines).to eq(["begins stuck 1", "begins after 1", "complete"])
      task = task.reload
      expect(task.status).to eq("complete")
      expect(task.step(:before).result).to eq(key)
      expect(task.steps.map(&:attempts)).to eq([1, 1, 1])
    ensure
      FileUtils.touch(@stuck)
    end

    it "are waited for by work(until: :idle)" do
      task = crashed(program)
      File.delete(@stuck)
      outcome = start(<<~RUBY).outcome
        #{program}
        puts handle.work(until: :idle, timeout: 20).ran
        handle.close
      RUBY
      expect(outcome.lines.last).to eq("2")
      expect(task.reload.status).to eq("complete")
    ensure
      FileUtils.touch(@stuck)
    end

    it "stand in the history, and not as attempts" do
      task = crashed(program)
      File.delete(@stuck)
      start(<<~RUBY).outcome
        #{program}
        handle.work(until: :idle, timeout: 20)
        handle.close
      RUBY
      moves = task.history.map(&:to_h).select { |move| move[:step_name] == "stuck" }
      expect(moves.map { |move| move.values_at(:from, :to) })
        .to eq([[nil, "pending"], %w[pending in_progress], %w[in_progress pending], %w[pending in_progress],
                %w[in_progress complete]])
      expect(moves[2][:metadata].to_s).to match(/crash/i)
    ensure
      FileUtils.touch(@stuck)
    end

    it "don't make a process lose its steps that is only slow" do
      handle
      slow = start(<<~RUBY)
        #{program}
        handle.create_task("flow", key: "slow")
        Thread.new { sleep(2.5) && File.delete(ENV.fetch("STUCK")) }
        handle.work(until: :idle, timeout: 20)
        handle.close
      RUBY
      await_words(slow, /^begins stuck/)
      other = start(<<~RUBY)
        #{program}
        handle.work(until: :idle, timeout: 20)
        handle.close
      RUBY
      expect([slow, other].flat_map { |one| one.outcome.lines }.sort)
        .to eq(["begins after 1", "begins before 1", "begins stuck 1"])
      expect(handle.tasks(key: "slow").first.step(:stuck)).to have_attributes(attempts: 1, status: "complete")
    ensure
      FileUtils.touch(@stuck)
    end

    it "end a step in error that takes its worker with it every time", limit: 90 do
      handle
      task = nil
      5.times do |n|
        victim = start_program(<<~RUBY)
          handle = TaskerCore.open(ENV["URL"], lease: 1)
          handle.register({ name: "deadly", steps: [{ name: "only" }] },
                          handlers: { only: ->(_) { Process.kill("KILL", Process.pid) && sleep } })
          handle.create_task("deadly", key: "deadly", on_duplicate: :return)
          handle.work
        RUBY
        expect(victim.outcome.status.termsig).to eq(9), "round #{n}: #{victim.text}"
        task ||= handle.tasks(key: "deadly").first
      end
      outcome = run_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"], lease: 1)
        handle.register({ name: "deadly", steps: [{ name: "only" }] }, handlers: { only: ->(_) { "alive" } })
        handle.work(until: :idle, timeout: 10)
        handle.close
      RUBY
      expect(outcome).to be_success, outcome.output
      expect(task.reload.step(:only)).to have_attributes(status: "error", attempts: 0)
      expect(task.step(:only).error["message"]).to match(/5 times/)
    end

    it "lose no task that was created before them" do
      creator = start_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"])
        handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { 1 } })
        $stdout.sync = true
        loop { puts handle.create_task("flow").id }
      RUBY
      eventually(within: 20) { creator.text.lines.size > 30 }
      creator.kill
      ids = creator.text.lines(chomp: true).select { |line| line.length == 36 }
      expect(ids.map { |id| handle.task(id).status }.uniq).to eq(["pending"])
      expect(handle.tasks.count - ids.size).to be_between(0, 1)
    end
  end
end
