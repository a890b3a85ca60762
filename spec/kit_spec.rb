# frozen_string_literal: true

require "active_support"
require "active_support/testing/time_helpers"
require "tasker_core/rspec"

# Handlers that tell what they did, and where.
module KitSpec
  class << self
    attr_accessor :seen
  end

  class FulfilOrder < TaskerCore::Workflow
    namespace "kit"
    input required: ["order_id"], properties: { order_id: { type: "integer" }, currency: { default: "EUR" } }

    step(:validate) { |ctx| { "order" => ctx.context["order_id"] } }
    step(:reserve, depends_on: :validate) { "reserved" }
    step(:charge, depends_on: :validate) { |ctx| KitSpec.seen&.push([Thread.current, ctx.attempt]) && "charged" }
    step(:ship, depends_on: %i[reserve charge], &:results)
  end

  class Flaky < TaskerCore::Workflow
    namespace "kit"
    step(:only, retry_limit: 4) do |ctx|
      raise TaskerCore::RetryableError.new("busy", retry_after: 3600) if ctx.attempt < 4

      4
    end
  end

  class Starts < TaskerCore::Workflow
    namespace "kit"
    step(:first) { |ctx| FulfilOrder.start({ order_id: ctx.context["n"] }).status }
  end
end

RSpec.describe TaskerCore::Testing::Kit do
  order = KitSpec::FulfilOrder
  flaky = KitSpec::Flaky

  before { KitSpec.seen = [] }

  def statuses(*tasks) = tasks.map { |task| task.reload.status }

  describe "the mode inline", tasker: :inline do
    it "runs a task where it is created, on the same thread" do
      expect(order.start({ order_id: 1 })).to be_complete
      expect(TaskerCore.create_task(order, context: { order_id: 2 })).to be_complete
      expect(TaskerCore.create_tasks(order, contexts: [{ order_id: 3 }, { order_id: 4 }]).size).to eq(2)
      expect(TaskerCore.tasks.map(&:status)).to eq(%w[complete] * 4)
      expect(KitSpec.seen).to eq([[Thread.current, 1]] * 4)
      expect(TaskerCore.handle.info[:backend]).to eq("sqlite")
    end

    it "knows a class by its name" do
      expect(TaskerCore.create_task("fulfil_order", namespace: "kit", context: { order_id: 1 })).to be_complete
      expect { TaskerCore.create_task("fulfil_ordr", namespace: "kit") }.to raise_error(TaskerCore::NotFoundError)
    end

    it "knows what the application has registered, by its name" do
      TaskerCore::Testing.disabled! do
        TaskerCore.configure { |c| c.database_url = "sqlite::memory:" }
        TaskerCore.register({ name: "by_hash", steps: [{ name: "only" }] }, handlers: { only: ->(_) { 5 } })
      end
      expect(TaskerCore.create_task("by_hash")).to complete_step(:only).with(5)
    ensure
      TaskerCore::OrchestrationManager.instance.close
      TaskerCore.configuration.database_url = nil
    end

    it "runs what other threads start on these" do
      threads = Array.new(3) { Thread.new { order.start({ order_id: 1 }).status } }
      expect(threads.map(&:value)).to eq(%w[complete] * 3)
      expect(KitSpec.seen.map(&:first) - threads).to eq([])
    end

    it "opens another engine in the place of one that was closed" do
      order.start({ order_id: 1 })
      TaskerCore.handle.close
      expect(order.start({ order_id: 2 })).to be_complete
    end

    it "skips the time between attempts, and leaves a later run_at alone" do
      expect(flaky.start.step(:only).attempts).to eq(4)
      later = order.start({ order_id: 1 }, run_at: Time.now + 86_400)
      expect(later).to be_pending
      drain(until: :settled)
      expect(later).to complete_task
    end

    it "runs what a handler starts when that has returned" do
      task = KitSpec::Starts.start({ n: 5 })
      expect(task.step(:first).result).to eq("pending").or eq("in_progress")
      expect(started_tasks(order).map(&:status)).to eq(%w[complete])
    end

    it "runs what a handler starts on another handle" do
      other = TaskerCore.open("sqlite::memory:")
      seen = []
      flow = single("here") { other.create_task(KitSpec::FulfilOrder, context: { order_id: 1 }) && seen.push(1) && nil }
      TaskerCore.create_task(flow)
      expect([seen, other.tasks.map(&:status)]).to eq([[1], %w[complete]])
    end

    it "keeps errors in the task, as a worker does" do
      fail_step(:charge, with: "declined")
      task = order.start({ order_id: 1 })
      expect([task.status, task.step(:charge).attempts, task.step(:ship).status]).to eq(["error", 3, "pending"])
    end

    it "tells the example what the example's own expectations find in a handler" do
      flow = single("expects") { expect(1).to eq(2) }
      expect { TaskerCore.create_task(flow) }.to raise_error(RSpec::Expectations::ExpectationNotMetError, /expected: 2/)
      mock = instance_double(IO)
      flow = single("mocks") { mock.puts("x") }
      expect { TaskerCore.create_task(flow) }.to raise_error(RSpec::Mocks::MockExpectationError)
    end

    it "lets an outer Timeout through" do
      flow = single("sleeps") { sleep }
      expect { Timeout.timeout(0.3) { TaskerCore.create_task(flow) } }.to raise_error(Timeout::Error)
    end

    it "does not count a task that its key gave back" do
      first = order.start({ order_id: 1 }, key: "one")
      again = nil
      expect { again = order.start({ order_id: 1 }, key: "one", on_duplicate: :return) }.not_to have_started_task
      expect(again.id).to eq(first.id)
    end
  end

  describe "the mode fake", tasker: :fake do
    it "keeps tasks until they are drained" do
      tasks = [order.start({ order_id: 1 }), TaskerCore.create_task(order, context: { order_id: 2 })]
      expect(statuses(*tasks)).to eq(%w[pending pending])
      summary = drain
      expect([summary.ran, summary.failed]).to eq([8, 0])
      expect(statuses(*tasks)).to eq(%w[complete complete])
      expect(KitSpec.seen.map(&:first).uniq).to eq([Thread.current])
    end

    it "runs fan-outs, branches, limits and decisions as they run elsewhere" do
      flow = workflow do
        step(:split, branches: %i[parcel letter]) { |ctx| ctx.route(:parcel) && [1, 2, 3] }
        step(:parcel, depends_on: :split, each: "split", limit: { running: 1 }) { |ctx| ctx.item * 10 }
        step(:letter, depends_on: :split) { raise "not chosen" }
        step(:send, depends_on: %i[parcel letter], limit: { key: ->(_ctx) { "x" }, running: 1 }) do |ctx|
          ctx.result(:parcel)
        end
      end
      task = TaskerCore.create_task(flow)
      drain
      expect(task).to complete_task
      expect(task).to complete_step(:send).with([10, 20, 30])
      expect(task.reload.step(:letter)).to be_skipped
      expect(task).to run_in_order(:split, "parcel[0]", :send)
    end

    it "leaves to time what waits for it" do
      task = flaky.start
      expect(drain(until: :due).ran).to eq(1)
      expect(task.reload.step(:only)).to be_waiting_for_retry
      advance(3400)
      expect(drain(until: :due).ran).to eq(0)
      advance(201)
      expect(drain(until: :due).ran).to eq(1)
      expect(drain.ran).to eq(2)
      expect(task).to complete_task
    end

    it "refuses an end of drain that is none, and a mode that is none" do
      expect { drain(until: :done) }.to raise_error(TaskerCore::ValidationError, /:settled/)
      expect { TaskerCore::Testing.change_mode(:inlin) }.to raise_error(TaskerCore::ValidationError, /inline/)
    end

    it "says so when tasks start one another without end" do
      flow = workflow("endless") { step(:again) { TaskerCore.create_task("endless") } }
      TaskerCore.create_task(flow)
      expect { drain(timeout: 0.3) }.to raise_error(TaskerCore::TimeoutError, /start others/)
    end

    it "goes on elsewhere for as long as a block runs" do
      TaskerCore::Testing.inline! { expect(order.start({ order_id: 1 })).to be_complete }
      expect(order.start({ order_id: 2 })).to be_pending
      expect(TaskerCore::Testing.disabled! { TaskerCore::Testing.mode }).to eq(:disabled)
      expect(TaskerCore::Testing).to be_fake
    end
  end

  describe "time", tasker: :fake do
    include ActiveSupport::Testing::TimeHelpers

    after { travel_back }

    it "moves with ActiveSupport's travel" do
      task = flaky.start
      drain(until: :due)
      travel(3601) { expect(drain(until: :due).ran).to eq(1) }
      expect(task.reload.step(:only).attempts).to eq(2)
      travel_to(Time.now + 90_000)
      expect(drain(until: :due).ran).to eq(1)
      travel_back
      expect(drain(until: :due).ran).to eq(0)
    end

    it "goes to the past, and a run_at of then" do
      travel_to(Time.utc(2020, 1, 1, 12))
      task = order.start({ order_id: 1 }, run_at: Time.now + 3600)
      expect(task.created_at).to be_between(Time.utc(2020, 1, 1, 12), Time.utc(2020, 1, 1, 12, 1))
      drain
      expect(task).not_to complete_task
      travel(3601)
      drain(until: :due)
      expect(task).to complete_task
    end

    it "moves with a stub of Time.now" do
      task = order.start({ order_id: 1 }, run_at: Time.now + 3600)
      later = Time.now + 3601
      allow(Time).to receive(:now).and_return(later)
      drain(until: :due)
      expect(task).to complete_task
    end
  end

  describe "#run_workflow" do
    it "gives the ended task, whatever the mode" do
      task = run_workflow(order, order_id: 7)
      expect([task.class, task.status, task.context]).to eq([TaskerCore::Task, "complete",
                                                             { "order_id" => 7, "currency" => "EUR" }])
      expect(run_workflow(order, { "order_id" => 8 }, key: "k", run_at: Time.now + 60).key).to eq("k")
      expect(run_workflow(flaky).step(:only).result).to eq(4)
      TaskerCore::Testing.inline! { expect(run_workflow(order, order_id: 9)).to be_complete }
      expect(TaskerCore::Testing).to be_disabled
    end

    it "says what a task waits for that does not end" do
      flow = single { |ctx| TaskerCore.task(ctx.task_id).pause && raise("busy") }
      expect { run_workflow(flow) }.to raise_error(TaskerCore::Testing::NotEndedError, /only/)
      expect { run_workflow(order, order_id: "x") }.to raise_error(TaskerCore::ValidationError, /order_id/)
    end

    it "takes a name, and refuses what is none" do
      expect(run_workflow("kit/fulfil_order", order_id: 1)).to be_complete
      expect(run_workflow(:fulfil_order, { order_id: 1 }, namespace: "kit", key: "k").key).to eq("k")
      expect { run_workflow("kit/fulfil_ordr") }.to raise_error(TaskerCore::NotFoundError)
      [[], [nil], [TaskerCore.open("sqlite::memory:"), nil]].each do |given|
        expect { run_workflow(*given) }.to raise_error(ArgumentError, "run_workflow takes a workflow or a task")
      end
    end

    it "takes a template that was registered elsewhere" do
      template = TaskerCore.open("sqlite::memory:").register(single("elsewhere") { 5 })
      expect(run_workflow(template, {}).step(:only).result).to eq(5)
    end
  end

  describe "#fail_step" do
    it "fails a step of one workflow, so many times, with a class, an error or a message" do
      fail_step(:charge, with: IOError, times: 1, workflow: order)
      fail_step("charge", with: TaskerCore::RetryableError.new("busy", retry_after: 600), times: 1)
      fail_step(:reserve, with: "no stock", workflow: workflow { step(:reserve) { "another one" } })
      task = run_workflow(order, order_id: 1)
      expect(task).to complete_step(:charge).on_attempt(3)
      expect(task).to fail_step(:charge).with_error(IOError).on_attempt(1)
      expect(task).to fail_step(:charge).with_error(TaskerCore::RetryableError, "busy").on_attempt(2)
      expect(task).to complete_step(:reserve).on_attempt(1)
    end

    it "fails one item of a list" do
      flow = workflow { step(:item, each: ->(_) { [1, 2] }, retry_limit: 1, &:item) }
      fail_step("item[1]", with: "broken")
      task = run_workflow(flow)
      expect(task).to complete_step("item[0]").and fail_step("item[1]").with_error("broken")
    end

    it "refuses what can't be raised" do
      expect { fail_step(:charge, with: 4) }.to raise_error(TaskerCore::ValidationError, /with/)
      picky = Class.new(StandardError) { define_method(:initialize) { |_code| super() } }
      expect { fail_step(:charge, with: picky) }.to raise_error(TaskerCore::ValidationError, /in place of its class/)
      expect { fail_step(:charge, with: "x", times: 0) }.to raise_error(TaskerCore::ValidationError, /times/)
    end
  end

  describe "#fail_step with a step that there isn't" do
    it "tells so at once where the workflow is named" do
      expect { fail_step(:chrage, with: IOError, workflow: order) }
        .to raise_error(TaskerCore::NotFoundError, /fail_step\(:chrage.*#{order.task_name} has no .*mean "charge"/)
      expect { fail_step(:charge, with: IOError, workflow: "order") }
        .to raise_error(TaskerCore::ValidationError, /workflow: is the class/)
    end

    it "tells so when steps are about to run" do
      fail_step(:chrage, with: IOError)
      expect { run_workflow(order, order_id: 1) }
        .to raise_error(TaskerCore::NotFoundError, /fail_step\(:chrage, …\): no workflow.*mean "charge"/)
    end

    it "tells so where the task is created", tasker: :inline do
      fail_step("chrage[1]", with: IOError)
      expect { order.start({ order_id: 1 }) }.to raise_error(TaskerCore::NotFoundError, /chrage\[1\]/)
    end

    it "knows the steps of templates that are no classes, whichever is run" do
      flow = TaskerCore.open("sqlite::memory:").register(
        { name: "plain", steps: [{ name: "hash_step", handler: ->(_ctx) {} }] }
      )
      fail_step(:hash_step, with: "x", times: 1)
      expect(run_workflow(flow)).to complete_step(:hash_step).on_attempt(2)
    end
  end

  describe "between examples" do
    it "leaves nothing behind", tasker: :inline do
      order.start({ order_id: 1 })
      fail_step(:charge, with: "x")
      advance(1000)
      handle = TaskerCore.handle
      TaskerCore::Testing.reset
      expect(handle).to be_closed
      expect([started_tasks, TaskerCore.tasks.count]).to eq([[], 0])
      expect(order.start({ order_id: 1 }).created_at).to be_within(60).of(Time.now)
    end

    it "is in the mode of the suite" do
      expect(TaskerCore::Testing).to be_disabled
      expect(TaskerCore::OrchestrationManager.instance.stand_in).to be_nil
    end
  end

  each_database do
    it "runs tasks of a handle of its own, in its database, and removes them", tasker: :inline do
      outside = handle.create_task(order, context: { order_id: 1 })
      expect(outside).to be_complete
      expect(KitSpec.seen).to eq([[Thread.current, 1]])
      expect(handle.create_task(flaky).step(:only).attempts).to eq(4)
      expect { handle.create_task(order, context: { order_id: 2 }) }.to have_started_task(order).with(order_id: 2)
      expect(handle).to have_started_task.exactly(3).times
      TaskerCore::Testing.reset
      expect(handle.tasks.count).to eq(0)
      expect(TaskerCore::Testing.now(handle)).to be_within(60).of(Time.now)
    end

    it "notes what is started while workers run" do
      expect { handle.create_task(order, context: { order_id: 1 }) }.to have_started_task(order)
      handle.work(until: :idle, threads: 1)
      expect(handle.tasks.first).to complete_task
      expect { expect(TaskerCore).to have_started_task }.to raise_error(TaskerCore::Error, /disabled/)
    end

    it "survives the loss of its worker" do
      crash = TaskerCore::Testing.stage.crash = TaskerCore::Testing::Crash.new(:charge, :after)
      task = run_workflow(handle, order, order_id: 1)
      expect([task.status, crash.struck?]).to eq(["complete", true])
      expect(KitSpec.seen.size).to eq(2)
      expect(task.history.map(&:to).count("in_progress")).to be > 4
    end
  end

  describe "a database that is not named as one for tests" do
    it "is not touched in the modes fake and inline", tasker: :inline do
      Dir.mktmpdir do |folder|
        shop = TaskerCore.open("sqlite:#{folder}/shop.sqlite3")
        expect { shop.create_task(order, context: { order_id: 1 }) }
          .to raise_error(TaskerCore::ConfigurationError, /shop\.sqlite3(?!.*force).*disabled!/)
        expect(shop.tasks.count).to eq(0)
        shop.close
      end
    end
  end

  context "with it_survives_crashes_in" do
    it_survives_crashes_in(order, -> { { order_id: number } }) do |task|
      expect(task.step(:ship).result).to eq("reserve" => "reserved", "charge" => "charged")
    end

    let(:number) { 7 }
  end
end
