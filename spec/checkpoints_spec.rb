# frozen_string_literal: true

RSpec.describe "Checkpoints" do
  each_database do
    # A step whose handler adds its attempt to a list that it keeps; the block does the rest.
    def counting(**options, &block)
      single(backoff: "none", **options) do |ctx|
        ctx.checkpoint = [*ctx.checkpoint, ctx.attempt]
        block&.call(ctx)
        ctx.checkpoint
      end
    end

    it "are nil before the first, then what was saved last, as JSON has it, frozen" do
      step = run_task(single do |ctx|
        before = ctx.checkpoint
        ctx.checkpoint = 1
        ctx.checkpoint = { row: 7, seen: [:a, nil, 1.5] }
        [before, ctx.checkpoint, ctx.checkpoint.frozen? && ctx.checkpoint["seen"].frozen?]
      end).step(:only)
      kept = { "row" => 7, "seen" => ["a", nil, 1.5] }
      expect(step).to have_attributes(result: [nil, kept, true], checkpoint: kept)
      expect(step.to_h[:checkpoint]).to eq(kept)
      expect(JSON.parse(step.to_json)["checkpoint"]).to eq(kept)
      expect(handle.create_task("flow").step(:only).checkpoint).to be_nil
    end

    it "are found by the next attempt, after an error and after a timeout" do
      gate = self.gate
      task = run_task(counting(timeout: 1.5) do |ctx|
        raise "once" if ctx.attempt == 1

        gate.wait if ctx.attempt == 2
      end)
      gate.open
      expect(task.step(:only)).to have_attributes(result: [1, 2, 3], checkpoint: [1, 2, 3], attempts: 3)
    end

    it "are found after a worker gave the step back" do
      gate = self.gate
      handle.register(counting { |ctx| ctx.checkpoint.size == 1 && gate.wait })
      task = handle.create_task("flow")
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      worker.stop(timeout: 0)
      gate.open
      handle.work(until: :idle, timeout: 20)
      expect(task.step(:only)).to have_attributes(result: [1, 1], attempts: 1)
    end

    it "are of one step and one task" do
      steps = workflow do
        step(:a) { |ctx| ctx.checkpoint = ctx.context["n"] }
        step(:b) { |ctx| ctx.checkpoint = [ctx.checkpoint, ctx.step_name] }
      end
      handle.register(steps)
      tasks = handle.create_tasks("flow", contexts: [{ n: 1 }, { n: 2 }])
      handle.work(until: :idle, timeout: 20)
      expect(tasks.map { |id| handle.task(id).steps.map(&:checkpoint) }).to eq([[1, [nil, "b"]], [2, [nil, "b"]]])
    end

    it "are all saved when many handlers save at once" do
      handle.register(single { |ctx| 5.times { |n| ctx.checkpoint = [ctx.context["n"], n] } })
      ids = handle.create_tasks("flow", contexts: Array.new(60) { |n| { n: n } })
      handle.work(until: :idle, threads: 30, timeout: 40)
      expect(ids.map { |id| handle.task(id).step(:only).checkpoint }).to eq(Array.new(60) { |n| [n, 4] })
    end

    it "are not saved for a step that was taken from its handler" do
      seen = journal
      gate = self.gate
      handle.register(single do |ctx|
        ctx.checkpoint = "in time"
        gate.wait
        ctx.checkpoint = "late"
        seen << [ctx.cancelled?, ctx.checkpoint]
      end)
      task = handle.create_task("flow")
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      database.query("UPDATE tasker_workflow_steps SET state = 'cancelled', token = token + 1")
      gate.open
      eventually { worker.stats[:late] == 1 }
      expect(seen.to_a).to eq([[true, "in time"]])
      expect(task.step(:only)).to have_attributes(status: "cancelled", checkpoint: "in time")
    end

    it "are not saved when the time of the attempt is over" do
      seen = journal
      task = run_task(single(timeout: 0.3, retryable: false) do |ctx|
        eventually { ctx.expired? }
        ctx.checkpoint = "late"
        seen << ctx.checkpoint
      end)
      eventually { seen.size == 1 }
      expect([seen.to_a, task.step(:only).checkpoint, task.status]).to eq([[nil], nil, "error"])
    end

    it "are refused when they are no JSON or too large, and the last one stays" do
      limited = open_handle(max_result_bytes: 10)
      wrong = [{ a: [Time.now] }, "x" * 9, Float::NAN]
      limited.register(single do |ctx|
        ctx.checkpoint = "x" * 8
        wrong.map { |value| error_of { ctx.checkpoint = value }.faults[0][:path].size }
      end)
      task = limited.create_task("flow")
      limited.work(until: :idle, timeout: 20)
      expect(task.step(:only)).to have_attributes(result: %w[checkpoint.a[0] checkpoint checkpoint].map(&:size),
                                                  checkpoint: "x" * 8)
    end

    it "can be interrupted while they wait for the database" do
      patient = open_handle(sqlite? ? "#{database.url}?busy_timeout=30" : database.url)
      waits = gate
      took = journal
      patient.register(single(retryable: false) do |ctx|
        waits.wait
        took << seconds { Timeout.timeout(0.3) { ctx.checkpoint = 1 } }
      rescue Timeout::Error
        took << :interrupted
        nil
      end)
      task = patient.create_task("flow")
      patient.worker(threads: 1).start
      eventually { waits.waiting == 1 }
      database.held do
        waits.open
        eventually { took.size == 1 }
      end
      expect(took.to_a).to eq([:interrupted])
      expect(task.wait(timeout: 20).status).to eq("complete")
    end

    it "are not for a child that the handler forks" do
      task = run_task(single do |ctx|
        reader, writer = IO.pipe
        pid = fork do
          writer.write(error_of { ctx.checkpoint = 1 }.class)
          writer.close
          exit!(0)
        end
        writer.close
        [reader.read, Process.wait2(pid).last.exitstatus]
      end)
      expect(task.step(:only)).to have_attributes(result: ["TaskerCore::ConfigurationError", 0], checkpoint: nil)
    end

    it "survive kill -9" do
      program = <<~RUBY
        handle = TaskerCore.open(ENV["URL"], lease: 1)
        handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: lambda do |ctx|
          next ctx.checkpoint if ctx.checkpoint

          ctx.checkpoint = { row: 41 }
          ctx.checkpoint = { row: 42 }
          puts "saved"
          sleep
        end })
      RUBY
      handle
      first = start_program("#{program}handle.create_task('flow') && handle.work")
      await_words(first, /^saved/)
      first.kill
      task = handle.tasks.first
      expect(task.step(:only)).to have_attributes(status: "in_progress", checkpoint: { "row" => 42 })
      outcome = run_program("#{program}handle.work(until: :idle, timeout: 20)\nhandle.close")
      expect(outcome).to be_success, outcome.output
      expect(task.reload.step(:only)).to have_attributes(result: { "row" => 42 }, attempts: 1)
    end
  end

  it "can be tried without a database" do
    require "tasker_core/testing"
    handler = lambda do |ctx|
      ctx.checkpoint = [*ctx.checkpoint, 2]
      ctx.checkpoint
    end
    expect(TaskerCore::Testing.run_step(handler, checkpoint: [1])).to eq([1, 2])
    expect(TaskerCore::Testing.run_step(handler, checkpoint: [1], cancelled: true)).to eq([1])
    expect(error_of { TaskerCore::Testing.run_step(->(ctx) { ctx.checkpoint = Time.now }) })
      .to have_attributes(class: TaskerCore::ValidationError, path: "checkpoint")
  end
end
