# frozen_string_literal: true

RSpec.describe "Running" do
  each_database do
    it "runs a diamond in the order of its edges, and hands results on by name" do
      order = journal
      flow = workflow do
        step(:first) { |ctx| (order << "first") && ctx.context["n"] }
        step(:left, depends_on: :first) { |ctx| (order << "left") && (ctx.result(:first) + 1) }
        step(:right, depends_on: "first") { |ctx| (order << "right") && (ctx.result("first") * 2) }
        step(:last, depends_on: %i[left right]) { |ctx| (order << "last") && ctx.results }
      end
      task = run_task(flow, context: { n: 10 })
      expect(task.status).to eq("complete")
      expect(task.step(:last).result).to eq("left" => 11, "right" => 20)
      expect(order.to_a).to eq(%w[first left right last]).or eq(%w[first right left last])
    end

    it "runs a step that is declared before those it needs" do
      flow = workflow do
        step(:last, depends_on: :first) { |ctx| ctx.result(:first) + 1 }
        step(:first) { 1 }
      end
      expect(run_task(flow).step(:last).result).to eq(2)
    end

    it "runs a fan of 50 and joins it" do
      flow = workflow do
        step(:list) { 50 }
        50.times { |n| step("part #{n}", depends_on: :list) { n } }
        step(:join, depends_on: Array.new(50) { |n| "part #{n}" }) { |ctx| ctx.results.values.sum }
      end
      expect(run_task(flow).step(:join).result).to eq(1225)
    end

    it "runs a chain of 20" do
      flow = workflow do
        step("1") { 1 }
        2.upto(20) { |n| step(n.to_s, depends_on: (n - 1).to_s) { |ctx| ctx.result((n - 1).to_s) + n } }
      end
      expect(run_task(flow).step("20").result).to eq(210)
    end

    it "runs as many handlers at once as there are threads" do
      gate = self.gate
      flow = workflow { 5.times { |n| step("side #{n}") { gate.wait } } }
      handle.register(flow)
      task = handle.create_task(flow)
      opener = Thread.new { eventually { gate.waiting == 5 } && gate.open }
      handle.work(until: :idle, threads: 5, timeout: 30)
      opener.join
      expect(task.reload.steps.map(&:result)).to all(be(true))
    end

    it "runs no more handlers at once than there are threads" do
      gate = self.gate
      most = Queue.new
      flow = workflow { 6.times { |n| step("side #{n}") { (most << gate.waiting) && gate.wait(within: 0.05) } } }
      expect(run_task(flow, threads: 2).status).to eq("complete")
      expect(Array.new(most.size) { most.pop }.max).to be <= 1
    end

    it "runs every step of many tasks once" do
      ran = journal
      handle.register(workflow do
        step(:a) { |ctx| (ran << [ctx.context["n"], "a"]) && nil }
        step(:b, depends_on: :a) { |ctx| (ran << [ctx.context["n"], "b"]) && nil }
      end)
      handle.create_tasks("flow", contexts: Array.new(200) { |n| { n: n } })
      handle.work(until: :idle, timeout: 40)
      expect(ran.tally.values.uniq).to eq([1])
      expect(ran.size).to eq(400)
      expect(handle.tasks(status: :complete).count).to eq(200)
    end

    it "says how many steps ran and how many failed" do
      handle.register(workflow do
        defaults retryable: false
        step(:good) { 1 }
        step(:bad) { raise "no" }
      end)
      handle.create_task("flow")
      expect(handle.work(until: :idle, timeout: 20)).to have_attributes(ran: 2, failed: 1, timed_out?: false)
    end

    it "returns at once when there is nothing to do" do
      handle.register(single { 1 })
      summary = nil
      expect(seconds { summary = handle.work(until: :idle) }).to be < 2
      expect(summary).to have_attributes(ran: 0, failed: 0, timed_out?: false)
    end

    it "returns when its timeout is over, and doesn't raise" do
      flow = single(backoff: { kind: "linear", base: 600 }) { raise "later" }
      handle.register(flow)
      handle.create_task(flow)
      summary = nil
      expect(seconds { summary = handle.work(until: :idle, timeout: 0.5) }).to be_between(0.4, 5)
      expect(summary).to have_attributes(timed_out?: true, failed: 1)
    end

    it "waits for a retry before it calls that idle" do
      flow = single(backoff: { kind: "linear", base: 0.3 }) { |ctx| ctx.attempt < 2 ? raise("later") : ctx.attempt }
      expect(run_task(flow).step(:only).result).to eq(2)
    end

    it "runs a task whose run_at has passed before it calls that idle" do
      handle.register(single(&:attempt))
      handle.work(until: :idle, timeout: 20)
      ran = Array.new(3) do
        handle.create_task("flow", run_at: Time.now - 1)
        handle.work(until: :idle, timeout: 20).ran
      end
      expect(ran).to eq([1, 1, 1])
    end

    it "refuses another end than idle, and thread counts that make no sense" do
      expect { handle.work(until: :done) }.to raise_error(TaskerCore::ValidationError, /idle/)
      [0, -1, "five", 1.5].each do |threads|
        expect { handle.work(until: :idle, threads: threads) }.to raise_error(TaskerCore::ValidationError, /threads/)
      end
    end

    it "raises when a handler calls it" do
      handle = self.handle
      seen = nil
      test = self
      flow = single(retryable: false) { (seen = test.error_of { handle.work(until: :idle) }) && nil }
      expect(run_task(flow).status).to eq("complete")
      expect(seen).to be_a(TaskerCore::Error)
    end

    it "runs only the steps of its queues" do
      handle.register(workflow do
        step(:fast, queue: "fast") { 1 }
        step(:slow, queue: "slow") { 2 }
        step(:plain) { 3 }
      end)
      task = handle.create_task("flow")
      handle.work(until: :idle, queues: ["fast"], timeout: 20)
      expect(task.reload.steps.map(&:status)).to eq(%w[complete pending pending])
      handle.work(until: :idle, queues: %i[slow default], timeout: 20)
      expect(task.reload.status).to eq("complete")
    end

    it "takes the queue of the step, else of the task, else of the template" do
      handle.register(workflow do
        defaults queue: "template"
        step(:own, queue: "step") { 1 }
        step(:common) { 1 }
      end)
      expect(handle.create_task("flow").steps.map(&:queue)).to eq(%w[step template])
      expect(handle.create_task("flow", queue: "task").steps.map(&:queue)).to eq(%w[step task])
    end

    it "runs what has the higher priority first" do
      order = journal
      handle.register(single { |ctx| (order << ctx.context["p"]) && nil })
      [0, 5, -3, 9, 5, 1].each { |priority| handle.create_task("flow", context: { p: priority }, priority: priority) }
      handle.work(until: :idle, threads: 1, timeout: 20)
      expect(order.to_a).to eq([9, 5, 5, 1, 0, -3])
    end

    it "runs what is equally urgent in the order of its creation" do
      order = journal
      handle.register(single { |ctx| (order << ctx.context["n"]) && nil })
      12.times { |n| handle.create_task("flow", context: { n: n }) }
      handle.work(until: :idle, threads: 1, timeout: 20)
      expect(order.to_a).to eq((0...12).to_a)
    end

    it "finishes an independent branch although another one failed" do
      flow = workflow do
        defaults retryable: false
        step(:bad) { raise "no" }
        step(:never, depends_on: :bad) { 1 }
        step(:good) { 1 }
        step(:after_good, depends_on: :good) { 2 }
      end
      task = run_task(flow)
      expect(task.status).to eq("error")
      expect(task.steps.to_h { |step| [step.name, step.status] })
        .to eq("bad" => "error", "never" => "pending", "good" => "complete", "after_good" => "complete")
      expect(task.error).to include("step" => "bad", "message" => "no")
      expect(task).to be_ended
      expect(task.finished_at).not_to be_nil
    end

    it "goes on without a step that is optional" do
      flow = workflow do
        step(:maybe, on_failure: :skip, retryable: false) { raise "no" }
        step(:sure) { 1 }
        step(:join, depends_on: %i[maybe sure]) { |ctx| [ctx.result(:maybe), ctx.result(:sure), ctx.results] }
      end
      task = run_task(flow)
      expect(task.status).to eq("complete")
      expect(task.step(:join).result).to eq([nil, 1, { "maybe" => nil, "sure" => 1 }])
      expect(task.step(:maybe)).to have_attributes(status: "skipped", result: nil, attempts: 1)
      expect(task.step(:maybe).error).to include("message" => "no")
    end

    it "tries an optional step as often as any other" do
      flow = workflow { step(:maybe, on_failure: :skip, retry_limit: 3, backoff: "none") { raise "no" } }
      expect(run_task(flow).step(:maybe)).to have_attributes(status: "skipped", attempts: 3)
    end

    it "hands on big results" do
      flow = workflow do
        step(:big) { { "text" => "é" * 500_000, "list" => (1..50_000).to_a } }
        step(:measure, depends_on: :big) { |ctx| [ctx.result(:big)["text"].length, ctx.result(:big)["list"].sum] }
      end
      expect(run_task(flow).step(:measure).result).to eq([500_000, 1_250_025_000])
    end

    it "runs tasks that handlers create" do
      handle = self.handle
      flow = workflow do
        step(:spawn) { |ctx| handle.create_task("child", context: { n: ctx.context["n"] }).id }
      end
      handle.register(workflow("child") { step(:double) { |ctx| ctx.context["n"] * 2 } })
      task = run_task(flow, context: { n: 4 })
      expect(handle.task(task.step(:spawn).result).step(:double).result).to eq(8)
    end
  end
end
