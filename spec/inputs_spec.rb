# frozen_string_literal: true

RSpec.describe "A task's input" do
  def flow_with(schema)
    workflow do
      input schema
      step(:only, &:context)
    end
  end

  each_database do
    it "has the defaults of its schema filled in, in what is stored and in what handlers see" do
      schema = { type: "object", required: %w[order_id currency],
                 properties: { order_id: { type: "integer" }, currency: { type: "string", default: "EUR" },
                               lines: { items: { properties: { count: { type: "integer", default: 1 } } } },
                               address: { "$ref": "#/$defs/address", default: {} } },
                 "$defs": { address: { properties: { country: { default: "DE" } } } } }
      task = run_task(flow_with(schema), context: { order_id: 7, lines: [{ sku: "a" }, { count: 3 }] })
      expected = { "order_id" => 7, "currency" => "EUR", "address" => { "country" => "DE" },
                   "lines" => [{ "sku" => "a", "count" => 1 }, { "count" => 3 }] }
      expect([task.context, handle.task(task.id).context, task.step(:only).result]).to all(eq(expected))
    end

    it "has defaults for each of several tasks, and where no context is given" do
      handle.register(flow_with({ properties: { n: { default: 5 } } }))
      ids = handle.create_tasks("flow", contexts: [{}, { n: 1 }])
      expect(ids.map { |id| handle.task(id).context }).to eq([{ "n" => 5 }, { "n" => 1 }])
      expect(handle.create_task("flow").context).to eq("n" => 5)
    end

    it "is refused with every fault, of defaults too, and nothing is stored" do
      handle.register(flow_with({ required: ["id"], properties: { n: { type: "integer", default: "x" },
                                                                  tags: { items: { type: "string" } } } }))
      error = error_of { handle.create_task("flow", context: { tags: ["a", 1] }) }
      expect(error).to be_a(TaskerCore::ValidationError)
      expect(error.faults.map { |fault| fault[:path] }).to contain_exactly("context", "context.n", "context.tags[1]")
      expect(count("tasker_tasks")).to eq(0)
    end

    it "does not outgrow the handle's limits by its defaults" do
      small = open_handle(database.url, max_context_bytes: 200)
      small.register(flow_with({ properties: { note: { default: "x" * 100 } } }))
      expect(small.create_task("flow").context["note"].size).to eq(100)
      expect { small.create_task("flow", context: { filler: "y" * 120 }) }
        .to raise_error(TaskerCore::ValidationError, /defaults.*larger than 200 bytes/)
    end
  end
end

RSpec.describe "A step's output schema" do
  let(:schema) do
    { type: "object", required: ["total"],
      properties: { total: { type: "integer" }, lines: { items: { type: "string" } } } }
  end

  # A workflow whose first step returns this, and another one after it.
  def returning(result, **options)
    shape = schema
    workflow do
      step(:price, output: shape, **options) { result }
      step(:pay, depends_on: :price) { |ctx| ctx.result(:price) }
    end
  end

  each_database do
    it "lets pass what keeps to it" do
      task = run_task(returning({ total: 4, lines: [] }))
      expect([task.status, task.step(:pay).result]).to eq(["complete", { "total" => 4, "lines" => [] }])
    end

    it "makes a permanent error of a breach, with every fault, and nothing after it runs" do
      handle.register(returning({ lines: ["a", 1] }, retry_limit: 5))
      task = handle.create_task("flow")
      summary = handle.work(until: :idle, timeout: 20)
      price, pay = task.reload.steps
      expect([price.status, price.attempts, price.result, pay.status]).to eq(["error", 1, nil, "pending"])
      expect(price.error["class"]).to eq("InvalidOutput")
      expect(price.error["message"]).to include("result: \"total\" is a required", "result.lines[1]: 1 is not of type")
      expect(price.error["faults"].map { |fault| fault["path"] }).to contain_exactly("result", "result.lines[1]")
      expect(task.reload.error).to include("step" => "price", "class" => "InvalidOutput")
      expect([summary.ran, summary.failed]).to eq([1, 1])
    end

    it "is told to on_error as what a handler raised is, with the step's context", limit: 60 do
      told = Queue.new
      handle.register(returning({ lines: ["a", 1] }, retry_limit: 5))
      task = handle.create_task("flow")
      handle.work(until: :idle, timeout: 20, on_error: ->(error, context) { told << [error, context] })
      expect(told.size).to eq(1)
      error, context = told.pop
      expect(error).to be_a(TaskerCore::InvalidOutput).and be_a(TaskerCore::ValidationError)
      expect(error.faults.map { |fault| fault[:path] }).to contain_exactly("result", "result.lines[1]")
      expect(task.step(:price).error["message"]).to include(error.message)
      expect(context).to have_attributes(step_name: "price", task_id: task.id, attempt: 1, heartbeat: false)
    end

    it "is told once for every breach, whichever thread hears of it, and with a worker that is idle", limit: 60 do
      told = Queue.new
      handle.register(returning({ total: "x" }))
      worker = handle.worker(threads: 3, on_error: ->(error) { told << error.class }).start
      handle.create_tasks("flow", contexts: Array.new(40) { {} })
      eventually(within: 30) { told.size == 40 }
      expect(worker.stats).to include(ran: 40, failed: 40)
      worker.stop
      expect(Array.new(told.size) { told.pop }.uniq).to eq([TaskerCore::InvalidOutput])
    end

    it "has a say in on_failure, and keeps a huge result out of the error" do
      task = run_task(returning({ total: "x" * 100_000 }, on_failure: :skip))
      expect(task.steps.map(&:status)).to eq(%w[skipped complete])
      expect(task.step(:price).error["message"].size).to be < 2_000
    end

    it "holds for a step that chooses among branches" do
      shape = schema
      task = run_task(workflow do
        step(:choose, output: shape, branches: %i[one two]) do |ctx|
          ctx.route(:one)
          { total: nil }
        end
        step(:one, depends_on: :choose) { 1 }
        step(:two, depends_on: :choose) { 2 }
      end)
      expect(task.steps.map(&:status)).to eq(%w[error pending pending])
      expect(task.step(:choose).error["class"]).to eq("InvalidOutput")
    end

    it "holds for a result that is given by hand" do
      task = run_task(returning({ total: "x" }))
      expect { task.step(:price).resolve(result: { total: "y" }) }
        .to raise_error(TaskerCore::ValidationError) { |e| expect(e.path).to eq("result.total") }
      task.step(:price).resolve(result: { total: 7 })
      handle.work(until: :idle, timeout: 20)
      expect(task.step(:pay)).to have_attributes(status: "complete", result: { "total" => 7 })
    end

    it "is the same from YAML, a Hash and an environment, and is printed" do
      template = handle.register({ name: "flow", steps: [{ name: "price", output: schema, handler: ->(_) { 1 } }],
                                   environments: { development: { steps: [{ name: "price",
                                                                            output: { maxProperties: 9 } }] } } })
      shape = JSON.parse(JSON.generate({ **schema, maxProperties: 9 }))
      expect(template.to_h[:steps][0][:output]).to eq(shape)
      expect(YAML.safe_load(template.to_yaml)["steps"][0]["output"]).to eq(shape)
      expect { handle.register({ name: "bad", steps: [{ name: "a", output: { type: "no" }, handler: ->(_) { 1 } }] }) }
        .to raise_error(TaskerCore::ValidationError) { |e| expect(e.path).to eq("steps[0].output") }
    end

    it "is fixed with its version, and a change is told with everything else that differs" do
      handle.register(returning({ total: 1 }))
      handle.create_task("flow")
      changed = workflow do
        input properties: { n: { type: "integer" } }
        step(:price, output: { type: "object", required: ["total"] }) { 1 }
        step(:ship, depends_on: :price) { 1 }
        step(:mail) { 1 }
      end
      error = error_of { open_handle.register(changed) }
      expect(error).to be_a(TaskerCore::ValidationError)
      expect(error.faults.map { |fault| fault[:path] })
        .to eq(["version", "input", "steps[0].output.properties", "steps[1].name", "steps[2]"])
      expect(error.faults.last).to include(message: "the step \"mail\" is new")
      expect(error.faults[3]).to include(expected: "\"pay\"", got: "\"ship\"")
    end
  end

  it "is checked where a step runs alone" do
    require "tasker_core/testing"
    flow = returning({ total: "4" })
    expect { TaskerCore::Testing.run_step(flow, :price) }
      .to raise_error(TaskerCore::ValidationError) { |e| expect(e.path).to eq("result.total") }
    run = TaskerCore::Testing.run_step(->(_) { { total: 4 } }, output: schema)
    expect(run).to eq("total" => 4)
    expect { TaskerCore::Testing.run_step(->(_) { 4 }, output: schema) }
      .to raise_error(TaskerCore::ValidationError) { |e| expect(e.path).to eq("result") }
  end
end
