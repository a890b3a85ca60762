# frozen_string_literal: true

RSpec.describe "A task under operations by hand" do
  each_database do
    def chain(handlers)
      names = handlers.keys
      steps = names.each_with_index.map { |name, i| { name: name, depends_on: i.zero? ? [] : names[i - 1] } }
      handle.register({ name: "chain", steps: steps }, handlers: handlers)
    end

    def work = handle.work(until: :idle, timeout: 30)

    it "is cancelled while a handler runs: that sees it within a second, and its result is not recorded" do
      told_after = nil
      chain(a: lambda do |ctx|
        gate.wait
        told_after = seconds { eventually { ctx.cancelled? } }
        "worth nothing"
      end, b: ->(_ctx) { "b" })
      task = handle.create_task("chain")
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      expect(task.cancel(reason: "a mistake", by: "ann").status).to eq("cancelled")
      gate.open
      eventually { worker.stats[:late] == 1 }
      expect(told_after).to be < 1
      expect(task.steps.map { |step| [step.status, step.result] }).to eq([["cancelled", nil], ["cancelled", nil]])
      expect(task.wait(timeout: 5)).to be_cancelled
    end

    it "says who did it and why, with what it came from" do
      chain(a: ->(_ctx) { "a" }, b: ->(_ctx) { "b" })
      task = handle.create_task("chain")
      task.cancel(reason: "a mistake", by: "ann")
      expect(task.history.last(3)).to contain_exactly(
        have_attributes(step_name: nil, from: "pending", to: "cancelled", by: "ann", reason: "a mistake"),
        have_attributes(step_name: "a", from: "pending", to: "cancelled", by: "ann", reason: "a mistake"),
        have_attributes(step_name: "b", from: "pending", to: "cancelled", by: "ann", reason: "a mistake",
                        metadata: { "operation" => "cancel", "by" => "ann", "reason" => "a mistake" })
      )
      expect(task.step(:b).history.map(&:to)).to eq(%w[pending cancelled])
    end

    it "is paused: what runs ends and is recorded, nothing else starts until it is resumed" do
      chain(a: ->(_ctx) { gate.wait && "a" }, b: ->(_ctx) { "b" })
      task = handle.create_task("chain")
      handle.worker(threads: 2).start
      eventually { gate.waiting == 1 }
      task.pause
      gate.open
      eventually { task.step(:a).complete? }
      expect(work.ran).to eq(0)
      expect(task.reload.status).to eq("paused")
      expect(task.step(:b)).to be_pending
      expect(task.resume.status).to eq("in_progress")
      expect(task.wait(timeout: 10).status).to eq("complete")
    end

    it "keeps the time of a retry over a pause" do
      chain(a: ->(_ctx) { raise TaskerCore::RetryableError.new("later", retry_after: 3600) })
      task = handle.create_task("chain")
      handle.worker(threads: 1).start
      due = eventually { task.step(:a).next_retry_at }
      task.pause
      task.resume
      expect(task.step(:a)).to have_attributes(status: "waiting_for_retry", next_retry_at: due)
      expect(count("tasker_timers")).to eq(1)
    end

    it "ends at once when it is resumed and everything is done" do
      chain(a: ->(_ctx) { gate.wait && "a" })
      task = handle.create_task("chain")
      handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      task.pause
      gate.open
      eventually { task.step(:a).complete? }
      expect(task.resume.status).to eq("complete")
      expect(task.history.select { |change| change.step_name.nil? }.map(&:to))
        .to eq(%w[pending in_progress paused in_progress complete])
    end

    it "retries what failed with all its attempts, and keeps every attempt's error" do
      tries = 0
      chain(a: lambda do |ctx|
        tries += 1
        raise TaskerCore::PermanentError, "try #{tries}" if tries < 3

        ctx.attempt
      end)
      task = handle.create_task("chain")
      2.times do
        work
        expect(task.reload).to have_attributes(status: "error", error: include("message" => "try #{tries}"))
        expect(task.retry(by: "ann")).to have_attributes(status: "in_progress", error: nil, finished_at: nil)
      end
      work
      expect(task.reload.status).to eq("complete")
      expect(task.step(:a)).to have_attributes(result: 1, attempts: 1)
      errors = task.step(:a).history.filter_map(&:error)
      expect(errors.map { |error| error["message"] }).to eq(["try 1", "try 2"])
      expect(errors.flat_map { |error| error["backtrace"] }).to all(include("operating_spec.rb").or(include("rspec")))
    end

    it "runs again from a step on; the rest keeps its results and the history the old ones" do
      runs = Hash.new(0)
      keys = []
      again = lambda do |ctx|
        keys << ctx.idempotency_key
        runs[ctx.step_name] += 1
      end
      chain(a: again, b: again, c: again)
      task = handle.create_task("chain")
      work
      expect(task.restart_from(:b, reason: "wrong prices").status).to eq("in_progress")
      work
      expect(task.reload.status).to eq("complete")
      expect(task.steps.map(&:result)).to eq([1, 2, 2])
      expect(keys.uniq.size).to eq(5)
      expect(task.step(:b).history.map { |change| [change.to, change.metadata] }).to include(
        ["pending", { "operation" => "restart_from", "reason" => "wrong prices", "run" => 1, "result" => 1 }]
      )
      expect { task.restart_from(:bb) }.to raise_error(TaskerCore::NotFoundError, /no step "bb".*"b"/)
    end

    it "forgets the checkpoint of a step that is restarted, and keeps it for one that is retried" do
      seen = []
      chain(a: lambda do |ctx|
        seen << ctx.checkpoint
        ctx.checkpoint = seen.size
        raise TaskerCore::PermanentError, "no"
      end)
      task = handle.create_task("chain")
      work
      task.retry
      work
      task.restart_from(:a)
      work
      expect(seen).to eq([nil, 1, nil])
    end

    it "goes on with the result that a person gave, and without a step that is skipped" do
      chain(a: ->(_ctx) { raise TaskerCore::PermanentError, "no" }, b: ->(ctx) { ctx.result(:a) },
            c: ->(ctx) { [ctx.result(:b)] })
      task = handle.create_task("chain")
      work
      expect(task.step(:a).resolve(result: { "id" => 7 }, by: "ann", reason: "looked up").result).to eq("id" => 7)
      expect(task.reload.status).to eq("in_progress")
      expect(task.step(:b).skip.status).to eq("skipped")
      work
      expect(task.reload.status).to eq("complete")
      expect(task.step(:c).result).to eq([nil])
    end

    it "refuses a result that is no JSON value, and changes nothing" do
      chain(a: ->(_ctx) { "a" })
      task = handle.create_task("chain")
      expect { task.step(:a).resolve(result: { at: Time.now }) }
        .to raise_error(TaskerCore::ValidationError, /result\.at/)
      expect(task.step(:a)).to be_pending
    end

    it "moves to another queue and priority, whatever of it runs just then" do
      chain(a: ->(_ctx) { gate.wait }, b: ->(_ctx) { "b" })
      task = handle.create_task("chain")
      handle.worker(threads: 1, queues: ["default"]).start
      eventually { gate.waiting == 1 }
      expect(task.update(queue: :slow, priority: 9, by: "ann")).to have_attributes(queue: "slow", priority: 9)
      gate.open
      eventually { task.step(:a).complete? }
      expect(handle.work(until: :idle, queues: ["default"]).ran).to eq(0)
      expect(handle.work(until: :idle, queues: ["slow"]).ran).to eq(1)
      expect(task.reload.status).to eq("complete")
      expect(task.history.find { |change| change.by == "ann" })
        .to have_attributes(from: "in_progress", to: "in_progress", metadata: include("queue" => "slow"))
    end

    it "goes back to the template's queue when that is given as nil" do
      chain(a: ->(_ctx) { "a" })
      task = handle.create_task("chain", queue: "slow", priority: 3)
      expect(task.update(queue: nil)).to have_attributes(queue: "default", priority: 3)
      expect(handle.work(until: :idle, queues: ["default"]).ran).to eq(1)
      expect { task.update(priority: 40_000) }.to raise_error(TaskerCore::ValidationError, /priority/)
      expect { task.update(prioritty: 4) }.to raise_error(TaskerCore::ValidationError, /prioritty.*priority/)
    end

    it "does not run before run_at, paused and resumed or not" do
      chain(a: ->(_ctx) { "a" })
      task = handle.create_task("chain", run_at: Time.now + 3600)
      task.pause
      task.resume
      expect(work.ran).to eq(0)
      expect(task.reload).to have_attributes(status: "pending")
      expect(count("tasker_timers")).to eq(1)
    end

    it "tells subscribers" do
      chain(a: ->(_ctx) { "a" })
      names = []
      subscription = handle.subscribe("task.*") { |event| names << [event.name, event.metadata&.fetch("by", nil)] }
      task = handle.create_task("chain")
      task.update(priority: 1, by: "ann")
      task.pause(by: "bob")
      task.cancel(by: "cy")
      subscription.flush(timeout: 10)
      expect(names).to eq(
        [["task.created", nil], ["task.updated", "ann"], ["task.paused", "bob"], ["task.cancelled", "cy"]]
      )
    end

    it "is one of many that are operated on together, after a dry run" do
      chain(a: ->(ctx) { raise TaskerCore::PermanentError, "no" if ctx.context["fail"] })
      failed = Array.new(3) { handle.create_task("chain", context: { fail: true }, tags: ["x"]).id }
      handle.create_task("chain")
      work
      dry = handle.retry_tasks(status: "error", name: "chain", dry_run: true)
      expect(dry).to have_attributes(task_ids: failed.reverse, refused: {}, dry_run?: true, count: 3)
      expect(handle.tasks(status: "error").count).to eq(3)
      expect(handle.retry_tasks(tag: "x", by: "ann").task_ids).to eq(failed.reverse)
      expect(handle.tasks(status: "error").count).to eq(0)
      expect(handle.cancel_tasks(name: "chain").count).to eq(3)
      expect(handle.cancel_tasks(name: "chain").count).to eq(0)
      expect { handle.cancel_tasks }.to raise_error(TaskerCore::ValidationError, /say which tasks/)
      expect { handle.cancel_tasks(name: "chain", limit: 1) }.to raise_error(TaskerCore::ValidationError, /limit/)
    end

    it "is one of many that are operated on at once: one that waits holds up no other" do
      chain(a: ->(_ctx) { "a" })
      *others, last = handle.create_tasks("chain", contexts: Array.new(230) { {} })
      client = lock_steps_of(last) unless sqlite? # which locks all or nothing
      outcome = Thread.new { handle.cancel_tasks(name: "chain") }
      if client
        eventually { handle.tasks(status: "cancelled").count >= 199 }
        expect(handle.task(last)).to be_pending
        client.close
      end
      expect(outcome.value.task_ids).to eq([last, *others.reverse])
    ensure
      client&.close
    end

    def lock_steps_of(id)
      client = IO.popen(database.client_command, "r+")
      client.puts("BEGIN; SELECT 'held' FROM tasker_workflow_steps WHERE task_id = '#{id}' FOR UPDATE;")
      nil until client.gets.to_s.include?("held")
      client
    end

    it "keeps its books while operations and a busy worker meet" do
      seed = Integer(ENV.fetch("SEED", Random.new_seed % 100_000))
      random = Random.new(seed)
      names = %w[a b c d e f]
      steps = names.map { |name| { name: name, retry_limit: 2, backoff: { base: 0.01 } } }
      steps << { name: "join", depends_on: names }
      handlers = (names + ["join"]).to_h { |name| [name, ->(_ctx) { raise "now and then" if rand < 0.2 }] }
      handle.register({ name: "wide", steps: steps }, handlers: handlers)
      tasks = Array.new(12) { handle.create_task("wide") }
      handle.worker(threads: 4).start
      operations = [->(t) { t.pause }, ->(t) { t.resume }, ->(t) { t.retry }, ->(t) { t.restart_from(names.sample) },
                    ->(t) { t.step(names.sample).skip }, ->(t) { t.step(names.sample).retry }, ->(t) { t.cancel },
                    ->(t) { t.update(priority: rand(5), queue: %w[default other].sample) },
                    ->(t) { t.step(names.sample).resolve(result: 1) }]
      drawn = Array.new(200) { [tasks.sample(random: random), operations.sample(random: random)] }
      threads = drawn.each_slice(50).map do |slice|
        Thread.new { slice.each { |task, operation| settle { operation.call(task) } } }
      end
      threads.each(&:join)
      tasks.each do |task|
        settle { task.resume }
        settle { task.reload.error? && task.restart_from("a") }
        expect(task.wait(timeout: 60)).to be_ended, "seed #{seed}: #{task.reload.inspect}"
      end
      queued = %w[tasker_ready tasker_timers].sum { |table| count(table) }
      expect(queued).to eq(0), "seed #{seed}"
      tasks.each { |task| expect(replay(task)).to eq(task.steps.map(&:status)), "seed #{seed}: #{task.id}" }
    end

    def settle
      yield
    rescue TaskerCore::StateTransitionError
      nil
    end

    # The states to which the histories of a task's steps lead, without a gap.
    def replay(task)
      task.steps.map do |step|
        step.history.inject(nil) do |state, change|
          expect(change.from).to eq(state)
          change.to
        end
      end
    end
  end
end
