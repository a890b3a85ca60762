# frozen_string_literal: true

require "yaml"

module TemplatesSpec
  class Validate < TaskerCore::StepHandler
    def call(ctx) = { "total" => ctx.context["order_id"] * 2 }
  end

  class Ship < TaskerCore::StepHandler
    def call(ctx) = [ctx.result(:validate)["total"], ctx.config["carrier"], ctx.retry_limit]
  end

  class Order < TaskerCore::Workflow
    namespace "orders"
    version "1.2.0"
    description "An order"
    input type: "object", required: ["order_id"], properties: { order_id: { type: "integer" } }
    defaults retry_limit: 2, timeout: 30

    step :validate, Validate, description: "Looks"
    step :ship, Ship, depends_on: :validate, retry_limit: 5, priority: 3, queue: "ships", config: { carrier: "post" }
  end

  HASH = {
    name: "order", namespace: "orders", version: "1.2.0", description: "An order",
    input: { type: "object", required: ["order_id"], properties: { order_id: { type: "integer" } } },
    defaults: { retry_limit: 2, timeout: 30 },
    steps: [
      { name: "validate", handler: Validate, description: "Looks" },
      { name: "ship", handler: Ship, depends_on: "validate", retry_limit: 5, priority: 3, queue: "ships",
        config: { carrier: "post" } }
    ]
  }.freeze

  YAML_TEXT = <<~YAML
    name: order
    namespace: orders
    version: 1.2.0
    description: An order
    input:
      type: object
      required: [order_id]
      properties: { order_id: { type: integer } }
    defaults: { retry_limit: 2, timeout: 30 }
    steps:
      - name: validate
        handler: TemplatesSpec::Validate
        description: Looks
      - name: ship
        handler: TemplatesSpec::Ship
        depends_on: [validate]
        retry_limit: 5
        priority: 3
        queue: ships
        config: { carrier: post }
  YAML
end

RSpec.describe "Templates" do
  def yaml_file(text)
    file = Tempfile.new(["template", ".yml"])
    file.write(text)
    file.close
    (@files ||= []) << file
    file.path
  end

  def forms
    { class: TemplatesSpec::Order, hash: TemplatesSpec::HASH, yaml: yaml_file(TemplatesSpec::YAML_TEXT) }
  end

  each_database do
    it "are the same as a class, a Hash and a YAML file" do
      yamls = forms.values.map { |form| handle.register(form).to_yaml }
      expect(yamls.uniq.size).to eq(1)
    end

    it "run the same as a class, a Hash and a YAML file" do
      forms.each do |form, template|
        handle = open_handle
        handle.register(template)
        task = handle.create_task("order", namespace: "orders", context: { order_id: 4 })
        handle.work(until: :idle, timeout: 20)
        expect([form, task.reload.step(:ship).result]).to eq([form, [8, "post", 5]])
      end
    end

    it "are no error when they are registered again, by any process" do
      first = handle.register(TemplatesSpec::Order)
      2.times { forms.each_value { |form| open_handle.register(form) } }
      expect(handle.register(TemplatesSpec::Order).to_yaml).to eq(first.to_yaml)
      expect(count("tasker_named_tasks")).to eq(1)
    end

    it "print as YAML that can be registered" do
      yaml = handle.register(TemplatesSpec::Order).to_yaml
      other = open_handle.register(yaml_file(yaml))
      expect(other.to_yaml).to eq(yaml)
      expect(YAML.safe_load(yaml)["steps"].map { |step| step["handler"] })
        .to eq(%w[TemplatesSpec::Validate TemplatesSpec::Ship])
    end

    it "print a handler without a constant as null, and take it again from handlers:" do
      yaml = handle.register(single { 1 }).to_yaml
      expect(YAML.safe_load(yaml)["steps"]).to match([a_hash_including("name" => "only", "handler" => nil)])
      other = open_handle
      other.register(yaml_file(yaml), handlers: { only: ->(_ctx) { "given" } })
      task = other.create_task("flow")
      other.work(until: :idle, timeout: 20)
      expect(task.reload.step(:only).result).to eq("given")
    end

    it "take handlers by name, as Symbols and Strings" do
      steps = [{ name: "a" }, { name: "b", depends_on: "a" }]
      handle.register({ name: "two", steps: steps }, handlers: { a: ->(_) { 1 }, "b" => lambda { |ctx|
                                                                                          ctx.result("a") + 1
                                                                                        } })
      task = handle.create_task("two")
      handle.work(until: :idle, timeout: 20)
      expect(task.reload.step("b").result).to eq(2)
    end

    it "refuse handlers for a step that they don't have" do
      error = error_of do
        handle.register({ name: "one", steps: [{ name: "first" }] },
                        handlers: { first: ->(_) { 1 }, frist: ->(_) { 1 } })
      end
      expect(error).to be_a(TaskerCore::ValidationError)
      expect(error.message).to include("frist", "first")
    end

    it "refuse a step without a handler" do
      expect { handle.register({ name: "one", steps: [{ name: "lonely" }] }) }
        .to raise_error(TaskerCore::ValidationError, /lonely|steps\[0\]/)
    end

    it "refuse another graph under a version that a task uses" do
      handle.register(workflow { step(:a) { 1 } })
      handle.create_task("flow")
      changed = workflow do
        step(:a) { 1 }
        step(:b, depends_on: :a) { 2 }
      end
      error = error_of { open_handle.register(changed) }
      expect(error).to be_a(TaskerCore::ValidationError)
      expect(error.message).to match(/version/i)
      expect(count("tasker_named_steps")).to eq(1)
    end

    it "refuse another input schema under a version that a task uses" do
      handle.register(workflow { step(:a) { 1 } })
      handle.create_task("flow")
      changed = workflow do
        input type: "object", required: ["id"]
        step(:a) { 1 }
      end
      expect { handle.register(changed) }.to raise_error(TaskerCore::ValidationError)
    end

    it "take another graph under a version that no task uses yet" do
      handle.register(workflow { step(:a) { 1 } })
      changed = workflow do
        step(:a) { 1 }
        step(:b, depends_on: :a) { 2 }
      end
      task = run_task(changed)
      expect(task.steps.map(&:status)).to eq(%w[complete complete])
    end

    it "take new settings under the same version, for tasks made from then on" do
      limits = Support::Journal.new
      flow = lambda do |limit|
        workflow do
          step(:a, retry_limit: limit, config: { limit: limit }) do |ctx|
            limits << [ctx.retry_limit, ctx.config["limit"]]
          end
        end
      end
      handle.register(flow.call(4))
      handle.create_task("flow")
      handle.register(flow.call(9))
      handle.create_task("flow")
      handle.work(until: :idle, timeout: 20)
      expect(limits.to_a).to contain_exactly([4, 4], [9, 9])
    end

    it "keep their versions apart; the highest is meant unless another is named" do
      %w[1.9.0 1.10.0 1.2.0].each do |number|
        handle.register(workflow do
          version number
          step(:tell) { number }
        end)
      end
      newest = handle.create_task("flow")
      older = handle.create_task("flow", version: "1.2.0")
      handle.work(until: :idle, timeout: 20)
      expect([newest, older].map { |task| task.reload.step(:tell).result }).to eq(%w[1.10.0 1.2.0])
    end

    it "share a database without taking each other's steps" do
      other = open_handle
      other.register(workflow("theirs") { step(:a) { "theirs" } })
      theirs = other.create_task("theirs")
      mine = run_task(workflow("mine") { step(:a) { "mine" } })
      expect([mine.status, theirs.reload.status]).to eq(%w[complete pending])
      other.work(until: :idle, timeout: 20)
      expect(theirs.reload.step(:a).result).to eq("theirs")
    end

    it "find tasks of a template that another process registered" do
      open_handle.register(single("known") { 1 })
      expect(handle.create_task("known")).to have_attributes(name: "known", status: "pending")
    end
  end
end
