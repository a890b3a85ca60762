# frozen_string_literal: true

module WorkflowSpec
  class CountOrders < TaskerCore::Workflow
    step(:count) { |_ctx| 1 }
  end

  class HTTPImport2 < TaskerCore::Workflow
    step(:fetch) { |_ctx| 1 }
  end

  class Greet < TaskerCore::StepHandler
    def call(ctx)
      "hello #{ctx.context["name"]}"
    end
  end

  class Greeting < TaskerCore::Workflow
    namespace "greetings"
    version "2.1.0"
    description "Says hello"
    input type: "object", required: ["name"], properties: { name: { type: "string" } }
    defaults retry_limit: 4, timeout: 60

    step :greet, Greet
  end

  class LouderGreeting < Greeting
    step(:shout, depends_on: :greet) { |ctx| ctx.result(:greet).upcase }
  end
end

RSpec.describe TaskerCore::Workflow do
  each_database do
    it "is named after its class, in snake case" do
      expect(handle.register(WorkflowSpec::CountOrders).name).to eq("count_orders")
      expect(handle.register(WorkflowSpec::HTTPImport2).name).to eq("http_import2")
    end

    it "takes another name" do
      flow = workflow("orders by hand") { step(:count) { 1 } }
      expect(run_task(flow)).to have_attributes(name: "orders by hand", status: "complete")
    end

    it "has the namespace default and the version 1.0.0 unless it says otherwise" do
      expect(handle.register(WorkflowSpec::CountOrders)).to have_attributes(namespace: "default", version: "1.0.0")
      expect(handle.register(WorkflowSpec::Greeting)).to have_attributes(namespace: "greetings", version: "2.1.0")
    end

    it "finds the task by the class alone, in its namespace and version" do
      handle.register(WorkflowSpec::Greeting)
      task = handle.create_task(WorkflowSpec::Greeting, context: { name: "Ada" })
      expect(task).to have_attributes(namespace: "greetings", name: "greeting", version: "2.1.0")
    end

    it "runs class handlers, blocks, instances and anything that has call" do
      greeter = Class.new { def call(_ctx) = "instance" }
      flow = workflow do
        step :class_handler, WorkflowSpec::Greet
        step(:block) { |_ctx| "block" }
        step :instance, greeter.new
        step :lambda, ->(_ctx) { "lambda" }
      end
      task = run_task(flow, context: { name: "Ada" })
      expect(task.steps.to_h { |step| [step.name, step.result] }).to eq(
        "class_handler" => "hello Ada", "block" => "block", "instance" => "instance", "lambda" => "lambda"
      )
    end

    it "makes a class's handler anew for each step" do
      counting = Class.new(TaskerCore::StepHandler) { def call(_ctx) = @calls = @calls.to_i + 1 }
      flow = workflow { %i[a b c].each { |name| step name, counting } }
      expect(run_task(flow, threads: 1).steps.map(&:result)).to eq([1, 1, 1])
    end

    it "gives its defaults to steps that don't say otherwise" do
      flow = workflow do
        defaults retry_limit: 2, backoff: "none"
        step(:twice) { raise "no" }
        step(:once, retry_limit: 1) { raise "no" }
      end
      expect(run_task(flow).steps.to_h { |step| [step.name, step.attempts] }).to eq("twice" => 2, "once" => 1)
    end

    it "has three attempts, no priority and the queue default where nothing is said" do
      seen = nil
      flow = single { |ctx| seen = ctx.retry_limit }
      step = run_task(flow).step(:only)
      expect(seen).to eq(3)
      expect(step).to have_attributes(queue: "default", priority: 0, config: {}, depends_on: [])
    end

    it "gives its steps, defaults, namespace and input to a subclass" do
      handle.register(WorkflowSpec::LouderGreeting)
      task = handle.create_task("louder_greeting", namespace: "greetings", context: { name: "Ada" })
      handle.work(until: :idle, timeout: 20)
      expect(task.reload.step(:shout).result).to eq("HELLO ADA")
      expect { handle.create_task(WorkflowSpec::LouderGreeting, context: {}) }
        .to raise_error(TaskerCore::ValidationError, /name/)
    end

    it "doesn't gain the steps of its subclasses" do
      handle.register(WorkflowSpec::Greeting)
      task = handle.create_task(WorkflowSpec::Greeting, context: { name: "Ada" })
      expect(task.steps.map(&:name)).to eq(["greet"])
    end

    it "gives a step's config to its handler" do
      flow = single(config: { url: "https://example.com", sizes: [1, 2] }, &:config)
      expect(run_task(flow).step(:only).result).to eq("url" => "https://example.com", "sizes" => [1, 2])
    end

    it "refuses a handler that can't be called" do
      expect { handle.register(workflow { step :wrong, 42 }) }.to raise_error(TaskerCore::ValidationError, /wrong/)
    end

    it "refuses an option that a step doesn't have, and names the nearest" do
      error = error_of { handle.register(workflow { step(:one, retry_limits: 3) { 1 } }) }
      expect(error).to be_a(TaskerCore::ValidationError)
      expect(error.message).to include("retry_limits", "retry_limit")
    end

    it "refuses retry_limit: 0" do
      error = error_of { handle.register(workflow { step(:one, retry_limit: 0) { 1 } }) }
      expect(error).to be_a(TaskerCore::ValidationError)
      expect(error.path).to eq("steps[0].retry_limit")
    end
  end

  it "starts a task on the default handle" do
    result = ask_program(<<~RUBY)
      TaskerCore.configure { |c| c.database_url = "sqlite::memory:" }
      class Double < TaskerCore::Workflow
        step(:double) { |ctx| ctx.context["n"] * 2 }
      end
      TaskerCore.register(Double)
      task = Double.start({ n: 21 }, key: "the answer")
      TaskerCore.work(until: :idle, timeout: 20)
      puts JSON.generate([task.key, task.reload.step(:double).result])
    RUBY
    expect(result).to eq(["the answer", 42])
  end
end
