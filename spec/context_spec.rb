# frozen_string_literal: true

RSpec.describe TaskerCore::StepContext do
  each_database do
    # What the block makes of the context of the step `b`, which needs `a`.
    def seen(context: {}, **options, &look)
      found = Queue.new
      flow = workflow do
        namespace "spaces"
        version "3.0.1"
        step(:z) { "not a parent" }
        step(:a, depends_on: :z) { { "n" => [1, { "m" => 2 }] } }
        step(:b, depends_on: :a, retryable: false, **options) { |ctx| (found << look.call(ctx)) && nil }
      end
      @task = run_task(flow, context: context)
      raise "the handler failed: #{@task.step(:b).error}" unless @task.complete?

      found.pop
    end

    it "tells which step of which task this is" do
      told = seen { |ctx| [ctx.task_id, ctx.step_id, ctx.step_name, ctx.namespace, ctx.task_name, ctx.version] }
      expect(told).to eq([@task.id, "#{@task.id}/b", "b", "spaces", "flow", "3.0.1"])
    end

    it "gives the task's context, frozen, with String keys" do
      context = seen(context: { order: { id: 7 } }, &:context)
      expect(context).to eq("order" => { "id" => 7 })
      expect([context, context["order"]]).to all(be_frozen)
    end

    it "gives the parents' results, by a Symbol's or a String's name, frozen" do
      results = seen { |ctx| [ctx.result(:a), ctx.result("a"), ctx.results] }
      expect(results).to eq(([{ "n" => [1, { "m" => 2 }] }] * 2) + [{ "a" => { "n" => [1, { "m" => 2 }] } }])
      expect(results[0]["n"][1]).to be_frozen
    end

    it "refuses the result of a step that isn't a parent, and names the parents" do
      %i[z b nothing].each do |name|
        error = seen { |ctx| error_of { ctx.result(name) } }
        expect(error).to be_a(TaskerCore::ValidationError)
        expect(error.message).to include(name.to_s, "a")
      end
    end

    it "gives the seconds that an attempt may take" do
      expect(seen(timeout: 12.5, &:timeout)).to eq(12.5)
      expect(seen(&:timeout)).to eq(300.0)
    end

    it "gives the config, the attempt and the limit" do
      told = seen(config: { url: "x" }, retryable: true, retry_limit: 4) do |ctx|
        [ctx.config, ctx.attempt, ctx.retry_limit, ctx.last_attempt?]
      end
      expect(told).to eq([{ "url" => "x" }, 1, 4, false])
    end

    it "knows the last attempt" do
      told = journal
      run_task(single(retry_limit: 3, backoff: "none") { |ctx| (told << ctx.last_attempt?) && raise("no") })
      expect(told.to_a).to eq([false, false, true])
      expect(seen(&:last_attempt?)).to be(true)
    end

    it "knows that an attempt which nothing repeats is the last, whatever else says how many there are" do
      told = journal
      flow = workflow do
        defaults retryable: false, retry_limit: 4
        step(:said, retry_limit: 5) { |ctx| told << [ctx.retry_limit, ctx.last_attempt?] }
        step(:unsaid) { |ctx| told << [ctx.retry_limit, ctx.last_attempt?] }
        step(:again, retryable: true) { |ctx| told << [ctx.retry_limit, ctx.last_attempt?] }
      end
      task = run_task(flow, threads: 1)
      expect(told.to_a).to eq([[1, true], [1, true], [4, false]])
      expect(handle.performance.viable_steps(task.id).steps.map(&:retry_limit)).to eq([1, 1, 4])
    end

    it "gives the same idempotency key in every attempt, and another one to every step" do
      keys = journal
      flow = workflow do
        step(:a, backoff: "none") { |ctx| (keys << ["a", ctx.idempotency_key]) && ctx.attempt < 3 && raise("no") }
        step(:b) { |ctx| (keys << ["b", ctx.idempotency_key]) && nil }
      end
      2.times { run_task(flow) }
      expect(keys.size).to eq(8)
      expect(keys.to_a.uniq.size).to eq(4)
      expect(keys.to_a.map(&:last).uniq.size).to eq(4)
      expect(keys.to_a.map(&:last)).to all(be_a(String))
    end

    it "isn't cancelled, expired or stopping while all is well" do
      expect(seen { |ctx| [ctx.cancelled?, ctx.expired?, ctx.stopping?] }).to eq([false, false, false])
    end

    it "has a logger that says which step it is" do
      output = StringIO.new
      logger = Logger.new(output)
      allow(TaskerCore.configuration).to receive(:logger).and_return(logger)
      seen { |ctx| ctx.logger.info("half way") }
      expect(output.string).to include("half way")
    end

    it "shows itself in one short line" do
      line = seen(context: { words: "long " * 500 }, &:inspect)
      expect(line.lines.size).to eq(1)
      expect(line.length).to be < 300
      expect(line).to include("b")
    end

    it "knows when its worker is about to stop" do
      gate = self.gate
      told = Queue.new
      handle.register(single do |ctx|
        gate.wait
        told << ctx.stopping?
      end)
      handle.create_task("flow")
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      stopping = Thread.new { worker.stop(timeout: 20) }
      eventually { !worker.running? || stopping.status == "sleep" }
      sleep 0.1
      gate.open
      expect(told.pop).to be(true)
      stopping.join
    end
  end
end
