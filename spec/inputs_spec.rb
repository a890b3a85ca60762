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
