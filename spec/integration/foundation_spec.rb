# frozen_string_literal: true

require "tasker_core/testing"

RSpec.describe "Foundations made by factories" do
  testing = TaskerCore::Testing

  each_database do
    after { testing.cleanup }

    it "are a namespace, a named task and named steps, for every handle on the database" do
      shop = testing.create_foundation(handle, namespace: "shop", name: "order", steps: %w[pay pack ship])
      expect([shop.namespace, shop.name, shop.version, shop.steps]).to eq(["shop", "order", "1.0.0", %w[pay pack ship]])
      task = open_handle.create_task("order", namespace: "shop")
      expect(task.steps.map { |step| [step.name, step.status, step.depends_on] })
        .to eq([["pay", "pending", []], ["pack", "pending", []], ["ship", "pending", []]])
      expect(handle.tasks(namespace: "shop").map(&:id)).to eq([task.id])
      expect(handle.tasks(namespace: "testing").count).to eq(0)
    end

    it "have the edges and options that their steps say" do
      ship = { "name" => "ship", depends_on: %w[pay pack], config: { by: "air" } }
      steps = [:pay, { name: "pack", queue: "store" }, ship]
      flow = testing.create_foundation(handle, steps: steps, defaults: { retry_limit: 7 })
      ship = flow.create_task.step(:ship)
      expect(ship.depends_on).to eq(%w[pay pack])
      expect(ship.config).to eq("by" => "air")
      expect(flow.create_task.step(:pack).queue).to eq("store")
      expect(flow.template.to_h[:defaults]).to include(retry_limit: 7)
    end

    it "have names of their own where none is given" do
      made = Array.new(3) { testing.create_foundation(handle) }
      expect(made.map(&:name).uniq.size).to eq(3)
      expect(made.map(&:namespace).uniq).to eq(["testing"])
      made.each { |foundation| expect(testing.run_workflow(handle, foundation.create_task)).to be_complete }
    end

    it "stand side by side in several versions, each with its own steps" do
      one = testing.create_foundation(handle, name: "order", version: "1.0.0", steps: %w[pay])
      two = testing.create_foundation(handle, name: "order", version: "2.0.0", steps: %w[pay ship])
      old, new = [one, two].map(&:create_task)
      latest = handle.create_task("order", namespace: "testing")
      runs = [old, new, latest].map { |task| testing.run_workflow(handle, task) }
      expect(runs.map { |run| [run.task.version, run.steps.keys] })
        .to eq([["1.0.0", %w[pay]], ["2.0.0", %w[pay ship]], ["2.0.0", %w[pay ship]]])
    end

    it "give each step the handler that was named for it, the block to others" do
      handlers = { pay: ->(ctx) { "paid by #{ctx.context["by"]}" } }
      flow = testing.create_foundation(handle, steps: %w[pay ship], handlers: handlers, &:step_name)
      run = testing.run_workflow(handle, flow.create_task(context: { by: "card" }))
      expect(run.results).to eq("pay" => "paid by card", "ship" => "ship")
    end

    it "answer with what they saw where nothing else is said" do
      steps = ["a", "b", { name: "c", depends_on: %w[b a] }]
      run = testing.run_workflow(handle, testing.create_foundation(handle, steps: steps).create_task)
      expect(run.results["c"]).to eq("step" => "c", "attempt" => 1, "parents" => %w[b a])
    end

    it "change nothing when something is wrong with them" do
      handle.register(single { 1 })
      before = census
      wrong = { steps: [{ name: "a", depends_on: "b" }, { name: "b", depends_on: "a" }] }
      expect { testing.create_foundation(handle, **wrong) }.to raise_error(TaskerCore::ValidationError, /cycle/)
      expect { testing.create_foundation(handle, steps: ["a", 5]) }
        .to raise_error(TaskerCore::ValidationError) { |error| expect(error.path).to eq("steps[1].name") }
      expect { testing.create_foundation(handle, steps: %w[a], version: "one") }
        .to raise_error(TaskerCore::ValidationError) { |error| expect(error.path).to eq("version") }
      expect { testing.create_foundation(handle, steps: %w[a], handlers: { b: -> {} }) }
        .to raise_error(TaskerCore::ValidationError, /no step "b"/)
      expect(census).to eq(before)
    end

    it "make a task with every option of a task" do
      due = Time.at(Time.now.to_i + 600).utc
      options = { context: { "id" => 7 }, key: "k", priority: 3, queue: "slow", tags: %w[x y], initiator: "spec",
                  reason: "why not", run_at: due }
      task = testing.create_task(handle, **options)
      expect(task).to have_attributes(options)
      expect(task.namespace).to eq("testing")
    end

    it "refuse a task's option that there is none of" do
      expect { testing.create_task(handle, contxt: {}) }.to raise_error(TaskerCore::ValidationError, /context/)
    end

    it "go with all their tasks, and what was there before stays" do
      own = single("own") { 1 }
      handle.register(own)
      kept = handle.create_task(own, key: "kept", run_at: Time.now + 3600)
      before = census
      testing.create_task(handle, template: own, key: "made")
      same = testing.create_task(handle, template: own, key: "kept", on_duplicate: :return)
      expect(same.id).to eq(kept.id)
      shop = testing.create_foundation(handle, namespace: "shop", name: "order", steps: %w[a b])
      shop.create_task(key: "one")
      handle.create_tasks("order", namespace: "shop", contexts: [{}, {}])
      testing.create_workflow(handle, pattern: :dense)
      testing.run_workflow(handle, shop.create_task)
      testing.cleanup(handle)
      expect(census).to eq(before)
      tables = %w[task_keys timers ready receipts]
      expect(tables.map { |table| count("tasker_#{table}") }).to eq([1, 1, 0, 0])
      expect { handle.create_task("order", namespace: "shop") }.to raise_error(TaskerCore::NotFoundError)
      expect(handle.create_task(own, key: "made")).to be_pending
    end

    it "leave a template that was stored before them" do
      handle.register(single { 1 })
      testing.create_foundation(open_handle, namespace: "default", name: "flow", steps: %w[only])
      testing.cleanup
      expect(handle.create_task("flow")).to be_pending
    end

    it "go with the end of a block, however that ends" do
      id = nil
      expect do
        testing.cleanup(handle) do
          id = testing.create_task(handle).id
          raise "a failing example"
        end
      end.to raise_error("a failing example")
      expect { handle.task(id) }.to raise_error(TaskerCore::NotFoundError)
      expect(testing.cleanup(handle) { 42 }).to eq(42)
    end

    it "go while a worker runs their steps, whose results are dropped" do
      gates = gate
      flow = testing.create_workflow(handle, pattern: :parallel, steps: 3) { gates.wait && 1 }
      own = single("own") { gates.wait && "kept" }
      handle.register(own)
      task = handle.create_task(own)
      worker = handle.worker(threads: 3).start
      eventually { gates.waiting == 3 }
      testing.cleanup
      gates.open
      expect(task.wait(timeout: 10).step(:only).result).to eq("kept")
      eventually { worker.stats[:late] == 2 }
      expect { flow.task.reload }.to raise_error(TaskerCore::NotFoundError)
      worker.stop
      expect(count("tasker_receipts")).to eq(0)
    end
  end
end
