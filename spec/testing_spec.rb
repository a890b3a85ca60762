# frozen_string_literal: true

require "tasker_core/testing"

RSpec.describe TaskerCore::Testing do
  testing = described_class

  after { testing.cleanup }

  def in_memory
    @in_memory ||= TaskerCore.open("sqlite::memory:")
  end

  after { @in_memory&.close }

  describe ".run_step" do
    it "runs a class, an object, a block's lambda and a constant's name" do
      kind = Class.new { def call(ctx) = ctx.context["n"] + 1 }
      [kind, kind.new, ->(ctx) { ctx.context["n"] + 1 }].each do |handler|
        expect(testing.run_step(handler, context: { n: 1 })).to eq(2)
      end
      expect(testing.run_step("TaskerCore::Testing::EchoHandler", :pay)).to include("step" => "pay")
    end

    it "gives the context that a worker gives" do
      seen = {}
      handler = lambda do |ctx|
        fields = %i[step_name namespace task_name version context results config attempt retry_limit last_attempt?
                    cancelled? expired? stopping? heartbeat]
        fields.each { |field| seen[field] = ctx.public_send(field) }
        seen[:id] = [ctx.step_id, ctx.idempotency_key, ctx.task_id]
        seen[:class] = ctx.class
        nil
      end
      testing.run_step(handler, :pay, context: { id: 7, deep: [{ a: 1.5 }] }, results: { check: { "ok" => true } },
                                      attempt: 2, retry_limit: 2, config: { by: "card" })
      expect(seen).to include(step_name: "pay", context: { "id" => 7, "deep" => [{ "a" => 1.5 }] }, attempt: 2,
                              results: { "check" => { "ok" => true } }, config: { "by" => "card" }, retry_limit: 2,
                              last_attempt?: true, cancelled?: false, expired?: false, stopping?: false,
                              heartbeat: true, class: TaskerCore::StepContext)
      expect(seen[:context]).to be_frozen
      step, key, task = seen[:id]
      expect([step, key]).to eq(["#{task}/pay", "#{task}/1"])
    end

    it "refuses the result of a step that is no parent" do
      handler = ->(ctx) { ctx.result(:chekc) }
      expect { testing.run_step(handler, :pay, results: { check: 1 }) }
        .to raise_error(TaskerCore::ValidationError, /"pay" does not depend on "chekc" \(did you mean "check"/)
    end

    it "takes a result through JSON, both ways" do
      handler = ->(_) { { charge: :paid, list: [1, nil, 2.5] } }
      result = testing.run_step(handler)
      expect(result).to eq("charge" => "paid", "list" => [1, nil, 2.5])
      expect(result["list"]).to be_frozen
      { Time.now => "result", { a: [1, Object.new] } => "result.a[1]", Float::NAN => "result" }.each do |wrong, path|
        expect { testing.run_step(->(_) { wrong }) }
          .to raise_error(TaskerCore::ValidationError) { |error| expect(error.path).to eq(path) }
      end
    end

    it "raises what the handler raises" do
      error = TaskerCore::RetryableError.new("busy", retry_after: 30)
      expect(error_of { testing.run_step(->(_) { raise error }) }).to equal(error)
    end

    it "tells a step that it was taken from its handler, that its time is over, or that its worker stops" do
      asks = ->(ctx) { [ctx.cancelled?, ctx.expired?, ctx.stopping?, ctx.heartbeat] }
      expect(testing.run_step(asks, cancelled: true)).to eq([true, false, false, false])
      expect(testing.run_step(asks, expired: true)).to eq([false, true, false, false])
      expect(testing.run_step(asks, stopping: true)).to eq([false, false, true, true])
    end

    it "runs one step of a workflow as that declares it" do
      flow = workflow("order") do
        input type: "object", required: ["id"]
        step(:pay, retry_limit: 2) { |ctx| "paid #{ctx.context["id"]}, attempt #{ctx.attempt}" }
        step(:pack, config: { by: "hand" }) { |ctx| ctx.config["by"] }
        step(:ship, depends_on: %i[pay pack], &:results)
      end
      expect(testing.run_step(flow, :pay, context: { id: 7 }, attempt: 2)).to eq("paid 7, attempt 2")
      expect(testing.run_step(flow, "pack", context: { id: 7 })).to eq("hand")
      expect(testing.run_step(flow, :ship, context: { id: 7 }, results: { pay: 1 })).to eq("pay" => 1, "pack" => nil)
      { [:pay, {}] => "context", [:shp, { context: { id: 7 } }] => "step",
        [:pay, { context: { id: 7 }, attempt: 3 }] => "attempt",
        [:pay, { context: { id: 7 }, results: { pack: 1 } }] => "results.pack",
        [:pay, { context: { id: 7 }, config: {} }] => "config", [nil, {}] => "step" }.each do |(step, options), path|
        expect { testing.run_step(flow, step, **options) }
          .to raise_error(TaskerCore::ValidationError) { |error| expect(error.path).to eq(path) }
      end
    end

    it "refuses what is no handler" do
      expect { testing.run_step(42) }.to raise_error(TaskerCore::ValidationError, /no handler/)
      expect { testing.run_step(TaskerCore::Testing::EchoHandler, retry_limt: 2) }
        .to raise_error(TaskerCore::ValidationError, /retry_limit/)
    end
  end

  describe "a database that is not named as one for tests" do
    around { |example| Dir.mktmpdir { |folder| (@url = "sqlite:#{folder}/shop.sqlite3") && example.run } }

    let(:shop) { TaskerCore.open(@url) }

    after { shop.close }

    it "is refused by everything that would touch it, and says what to do" do
      shop.register(single { 1 })
      task = shop.create_task("flow")
      calls = [-> { testing.create_foundation(shop) }, -> { testing.create_task(shop) }, -> { testing.now(shop) },
               -> { testing.create_workflow(shop, pattern: :linear) }, -> { testing.run_workflow(shop, task) },
               -> { testing.advance_time(shop, 1) }]
      calls.each do |call|
        error = error_of(&call)
        expect(error).to be_a(TaskerCore::ConfigurationError)
        expect(error.message).to include("shop.sqlite3", "app_test", "force: true")
      end
      expect(shop.tasks.map(&:status)).to eq(%w[pending])
    end

    it "is used when that is forced, once until the next cleanup" do
      flow = testing.create_workflow(shop, pattern: :linear, force: true)
      expect(testing.run_workflow(flow)).to be_complete
      testing.advance_time(shop, 1)
      testing.cleanup(shop)
      expect(shop.tasks.count).to eq(0)
      expect { testing.create_task(shop) }.to raise_error(TaskerCore::ConfigurationError)
    end
  end

  it "acts on the default handle where none is given" do
    outcome = run_program(<<~RUBY)
      require "tasker_core/testing"
      TaskerCore.configure { |c| c.database_url = "sqlite::memory:" }
      flow = TaskerCore::Testing.create_workflow(pattern: :diamond)
      TaskerCore::Testing.advance_time(3600)
      task = TaskerCore::Testing.create_task(template: flow, run_at: TaskerCore::Testing.now + 60)
      puts TaskerCore::Testing.run_workflow(task, travel: true).status
      puts TaskerCore.tasks.map(&:name) == [flow.name, flow.name]
      TaskerCore::Testing.cleanup
      puts TaskerCore.tasks.count
    RUBY
    expect(outcome.lines).to eq(%w[complete true 0]), outcome.output
  end

  it "says what a handle is, when it is given something else" do
    expect { testing.create_task("order") }
      .to raise_error(TaskerCore::ValidationError, /\Ahandle: .*template:/) { |e| expect(e.got).to eq("String") }
  end

  it "shows what it made in one short line" do
    flow = testing.create_workflow(in_memory, pattern: :dense, steps: 100, name: "dense")
    expect(flow.inspect).to eq("#<TaskerCore::Testing::PatternWorkflow testing/dense 1.0.0: 100 steps>")
    run = testing.run_workflow(flow)
    expect(run.inspect).to eq("#<TaskerCore::Testing::WorkflowRun #{flow.task.id} complete: 100 of 100 steps ran>")
    expect { run.step(:stp1) }.to raise_error(TaskerCore::NotFoundError, /did you mean "step1"/)
  end

  it "is not loaded with the gem" do
    expect(run_program("p defined?(TaskerCore::Testing)").lines).to eq(["nil"])
  end

  describe TaskerCore::Testing::Helpers do
    # A suite of two examples, each of which asks how many tasks there are before it makes one.
    suite = <<~RUBY
      it("one") { puts handle.tasks.count; create_task(handle); puts run_workflow(create_workflow(handle)).status }
      it("two") { puts handle.tasks.count; create_task(handle); puts now(handle) - Time.now > 3000; advance_time(handle, 3600) }
    RUBY

    it "clean up after each example of RSpec" do
      outcome = run_program(<<~RUBY)
        require "tasker_core/testing"
        require "rspec/core"
        HANDLE = TaskerCore.open("sqlite::memory:")
        RSpec.configure { |config| config.include TaskerCore::Testing::Helpers }
        RSpec.describe("a suite") do
          let(:handle) { HANDLE }
          #{suite}
        end
        RSpec::Core::Runner.run([], $stderr, File.open(File::NULL, "w"))
        puts HANDLE.tasks.count
      RUBY
      expect(outcome.lines.tally).to eq("0" => 3, "complete" => 1, "false" => 1), outcome.output
    end

    it "clean up after each test of Minitest" do
      outcome = run_program(<<~RUBY)
        require "tasker_core/testing"
        require "minitest"
        require "minitest/spec"
        Minitest.seed = 1
        HANDLE = TaskerCore.open("sqlite::memory:")
        describe("a suite") do
          include TaskerCore::Testing::Helpers
          def handle = HANDLE
          after { puts "mine" }
          #{suite}
        end
        Minitest::Runnable.runnables.each { |kind| kind.run(Minitest::CompositeReporter.new) }
        puts HANDLE.tasks.count
      RUBY
      expect(outcome.lines.last).to eq("0"), outcome.output
      expect(outcome.lines.tally).to include("mine" => 2, "0" => 3, "complete" => 1, "false" => 1)
    end
  end
end
