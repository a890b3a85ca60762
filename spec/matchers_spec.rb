# frozen_string_literal: true

require "tasker_core/rspec"

# What the test kit's matchers say; that they hold where they should, spec/kit_spec.rb and TESTING.md have.
RSpec.describe TaskerCore::Testing::Matchers do
  let(:order) do
    workflow("order") do
      step(:check) { |ctx| { total: 42, lines: [{ "sku" => "a", "n" => ctx.context["n"] }] } }
      step(:parcel, depends_on: :check, each: ->(_) { (0..6).to_a }, &:item)
      step(:pay, depends_on: :check, retry_limit: 2) { |ctx| raise IOError, "closed, #{ctx.attempt}" }
      step(:ship, depends_on: %i[parcel pay]) { "shipped" }
    end
  end
  let(:task) { run_workflow(order, n: 1) }

  def message
    yield
    raise "it held"
  rescue RSpec::Expectations::ExpectationNotMetError => e
    e.message
  end

  it "show the graph with the states of the steps" do
    text = message { expect(task).to complete_task }
    expect(text).to start_with("expected the task to be complete, but it is error: pay failed with IOError: closed, 2")
    expect(text).to end_with(<<~TEXT)
      default/order 1.0.0, task #{task.id}: error

      ✓    check (complete, {"total"=>42, "lines"=>[{"sku"=>"a", "n"=>1}]})
      ├─╮
      ✓ │  parcel (complete, 7/7 items done, [0, 1, 2, 3, 4, 5, 6])
      │ ✗  pay (error, attempt 2: IOError: closed, 2)
      ├─╯
      ○    ship (pending)
    TEXT
  end

  it "tell which items of a list have failed" do
    flow = workflow { step(:item, each: ->(_) { (0..8).to_a }, retry_limit: 1) { |ctx| raise "no" if ctx.item > 1 } }
    expect(message { expect(run_workflow(flow)).to complete_task })
      .to include("item[2]: RuntimeError: no\nitem[3]")
      .and end_with("item[6]: RuntimeError: no\nand 2 more items in error\n")
  end

  it "hide what is not to be shown" do
    flow = single { { token: "s3cret", n: 1 } }
    expect(message { expect(run_workflow(flow)).to complete_step(:only).with(n: 2) }).to include("[FILTERED]")
    expect(message { expect(run_workflow(flow)).not_to complete_task }).not_to include("s3cret")
  end

  it "say what came in place of what was expected" do
    { complete_step(:ship) => "complete the step ship, but it is pending",
      complete_step(:check).with(total: 1) => "complete the step check with {:total=>1}, but its result is {",
      complete_step(:check).on_attempt(2) => "complete the step check on attempt 2, but it took 1 attempts",
      fail_step(:check) => "fail the step check, but it is complete",
      fail_step(:pay).with_error(IOError,
                                 "x") => 'fail the step pay with IOError: "x", but that failed with IOError: closed, 2',
      fail_step(:pay).with_error(KeyError) => "fail the step pay with KeyError, but that failed with IOError",
      fail_step(:pay).on_attempt(3) => "fail the step pay on attempt 3, but the attempts that failed are 1, 2",
      run_in_order(:pay, :check) => "run the steps pay, check in this order, but the order was check, pay",
      run_in_order(:check, :ship) => "run the steps check, ship in this order, but ship never ran" }
      .each { |matcher, words| expect(message { expect(task).to matcher }).to include("expected the task to #{words}") }
  end

  it "say what was not expected, and came" do
    { complete_step(:check) => "complete the step check", run_in_order(:check, :pay) => "run the steps check, pay",
      fail_step(:pay).with_error(/closed/) => "fail the step pay with /closed/" }
      .each do |matcher, words|
      expect(message { expect(task).not_to matcher }).to include("the task not to #{words}")
    end
  end

  it "go with others, and with argument matchers" do
    expect(task).to complete_step(:check).with(hash_including(total: a_value > 41)).and fail_step(:pay)
    expect(task).to complete_step(:check).with("total" => Integer, lines: [{ sku: /a/, n: 1 }])
    expect(task).to complete_step(:ship).or complete_step(:parcel).with(a_collection_including(6))
    expect([task, task]).to all(fail_step(:pay).with_error(StandardError, a_string_ending_with("2")))
    expect(task).to fail_step(:pay).with_error(IOError, "closed, 1").on_attempt(1)
    words = message { expect(task).to complete_step(:check).with(total: a_value < 4) }
    expect(words).to include("with {:total=>(a value < 4)}")
  end

  it "know what the engine reports of itself" do
    flow = workflow do
      step(:slow, timeout: 0.05, interrupt: true, retry_limit: 1) { sleep }
      step(:wrong, output: { type: "integer" }) { "x" }
    end
    task = run_workflow(flow)
    expect(task).to fail_step(:slow).with_error(/timeout/).and fail_step(:wrong).with_error(TaskerCore::InvalidOutput)
  end

  it "refuse a step that is none, also where it isn't expected, and what is no task" do
    expect do
      expect(task).not_to complete_step(:chek)
    end.to raise_error(TaskerCore::NotFoundError, /did you mean "check"/)
    expect(message { expect(5).to complete_task }).to eq("expected 5 to be complete, but it is no task")
    expect(message { expect(5).not_to complete_task }).to include("no task")
    expect { run_in_order(:check) }.to raise_error(TaskerCore::ValidationError)
  end

  describe "have_started_task", tasker: :fake do
    before { order }

    it "counts" do
      make = -> { 3.times { |n| TaskerCore.create_task(order, context: { n: n }, queue: "q#{n % 2}") } }
      expect(&make).to have_started_task(order).exactly(3).times
      expect(&make).to have_started_task(order).with(n: a_value > 0).twice.and have_started_task.at_least(3)
      expect(&make).to have_started_task("default/order").having(queue: "q1").at_most(1)
      expect(&make).not_to have_started_task(order).with(n: 3)
      expect(&make).not_to have_started_task(order).exactly(2)
      expect(TaskerCore).to have_started_task(:order).exactly(15)
      expect { TaskerCore.create_tasks(order, contexts: [{ n: 8 }, { n: 9 }]) }.to have_started_task.with(n: 9)
      expect { nil }.not_to have_started_task
    end

    it "says what was started" do
      words = message do
        expect do
          TaskerCore.create_task(order, context: { n: 1, pin_token: 3 })
        end.to have_started_task(order).with(n: 2)
      end
      expect(words).to include("with {:n=>2}, but 0 such were started\nall that were started:\n",
                               '{"n"=>1, "pin_token"=>"[FILTERED]"}')
      expect(message { expect { nil }.to have_started_task }).to end_with("no task was started")
      expect(message do
               expect do
                 TaskerCore.create_task(order)
               end.not_to have_started_task
             end).to include("not to have started a task, but 1 such was")
    end

    it "refuses what starts no tasks" do
      expect { have_started_task.having(quue: "x") }.to raise_error(TaskerCore::ValidationError, /did you mean "queue"/)
      expect { expect(5).to have_started_task }.to raise_error(TaskerCore::ValidationError, /actual/)
    end
  end

  describe "fail_step" do
    it "fails an example in which it stands for nothing, and one that expects what it makes" do
      outcome = run_program(<<~RUBY)
        require "tasker_core/rspec"
        class Pay < TaskerCore::Workflow
          step(:pay) { 1 }
        end
        RSpec.describe("a suite") do
          it("one") { fail_step(:pay) }
          it("two") { expect(run_workflow(Pay)).to fail_step(:pay, with: "x") }
          it("three") { expect([run_workflow(Pay)]).not_to include(fail_step(:pay)) }
        end
        class Once < TaskerCore::Workflow
          step(:once, retry_limit: 1) { ($count += 1) > 1 ? raise("twice") : 1 }
        end
        RSpec.describe("crashes") do
          before { $count = 0 }
          it_survives_crashes_in(Once)
        end
        RSpec::Core::Runner.run([], $stderr, $stdout)
      RUBY
      expect(outcome.output).to include("fail_step(:pay) stands alone, and did nothing",
                                        "say with what: fail_step(:pay, with: …)",
                                        "To expect that it has failed: fail_step(:pay).with_error(…)",
                                        "5 examples, 3 failures",
                                        "once failed with RuntimeError: twice",
                                        "when once has run and nobody knows it yet")
    end
  end

  it "leave nothing to the next example of a suite in one mode" do
    outcome = run_program(<<~RUBY)
      require "tasker_core/rspec"
      TaskerCore::Testing.fake!
      class Pay < TaskerCore::Workflow
        step(:pay) { 1 }
      end
      RSpec.configure { |config| config.around { |example| $mode = TaskerCore::Testing.mode and example.run } }
      RSpec.describe("a suite") do
        2.times do
          it("one") { expect { Pay.start({}, key: "k") }.to have_started_task.and change { TaskerCore.tasks.count }.from(0).to(1) }
        end
        it("two", tasker: :inline) { expect([Pay.start.status, $mode]).to eq(["complete", :inline]) }
        it("three", tasker: :inline) { raise "x" }
        it("four", tasker: "disabled") { expect(TaskerCore::Testing.mode).to eq(:disabled) }
        4.times { it("five") { expect([TaskerCore::Testing.mode, started_tasks, TaskerCore.tasks.count]).to eq([:fake, [], 0]) } }
      end
      RSpec::Core::Runner.run(["--order", "random"], $stderr, $stdout)
      puts TaskerCore::Testing.mode
    RUBY
    expect(outcome.output).to include("9 examples, 1 failure").and end_with("fake\n")
  end

  it "let a step see the records of a transaction that is never committed" do
    outcome = run_program(<<~RUBY)
      require "active_record"
      require "tasker_core/rspec"
      ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: ":memory:")
      ActiveRecord::Schema.verbose = false
      ActiveRecord::Schema.define { create_table(:orders) { |t| t.string :state } }
      class Order < ActiveRecord::Base; end
      class Ship < TaskerCore::Workflow
        step(:ship) { |ctx| Order.find(ctx.context["id"]).update!(state: "shipped") }
      end
      RSpec.configure do |config|
        config.around do |example|
          Order.transaction(joinable: false) do
            example.run
            raise ActiveRecord::Rollback
          end
        end
      end
      RSpec.describe(Ship) do
        it("ships", tasker: :inline) do
          order = Order.create!(state: "new")
          Order.transaction { Ship.start({ id: order.id }) }
          expect(order.reload.state).to eq("shipped")
        end
      end
      RSpec::Core::Runner.run([], $stderr, $stdout)
      puts Order.count
    RUBY
    expect(outcome.output).to include("1 example, 0 failures").and end_with("0\n")
  end

  describe "as assertions of Minitest" do
    it "say the same" do
      outcome = run_program(<<~RUBY)
        require "minitest"
        require "tasker_core/minitest"
        class Pay < TaskerCore::Workflow
          step(:pay, retry_limit: 1) { |ctx| ctx.context["n"] == 1 ? { n: 1 } : raise(IOError, "closed") }
        end
        class PayTest < Minitest::Test
          include TaskerCore::Testing::Assertions
          tasker :inline
          def good = Pay.start({ n: 1 })
          def bad = Pay.start({ n: 2 })
          def test_1 = assert_task_completed(bad)
          def test_2 = refute_task_completed(good)
          def test_3 = assert_step_completed(good, :pay, with: { n: 2 })
          def test_4 = refute_step_completed(good, :pay, with: { n: Integer })
          def test_5 = assert_step_failed(bad, :pay, with_error: [IOError, /open/])
          def test_6 = refute_step_failed(bad, :pay, with_error: IOError, on_attempt: 1)
          def test_7 = assert_task_started(Pay, with: { n: 3 }) { good }
          def test_8 = refute_task_started(Pay) { good }
          def test_9 = assert_step_completed(good, :pay, with: nil)
          def test_right
            assert_task_started(Pay, exactly: 2) { [good, bad] }
            refute_task_started("pay", with: { n: 3 })
            assert_task_started(exactly: 2)
            refute_step_failed(good, :pay)
            assert_step_failed(bad, :pay, with_error: "closed", on_attempt: 1)
          end
        end
        class OtherTest < PayTest
          tasker :fake
          (1..9).each { |n| undef_method(:"test_\#{n}") }
          def test_right = assert(good.pending?)
        end
        Minitest.run(["--seed", "1"])
        puts TaskerCore::Testing.mode
      RUBY
      expect(outcome.output).to include("11 runs", "9 failures, 0 errors").and end_with("disabled\n")
      expect(outcome.output.scan(/^expected .*$/)).to contain_exactly(
        "expected the task to be complete, but it is error: pay failed with IOError: closed",
        "expected the task not to be complete",
        'expected the task to complete the step pay with {:n=>2}, but its result is {"n"=>1}',
        "expected the task not to complete the step pay with {:n=>Integer}",
        "expected the task to fail the step pay with IOError: /open/, but that failed with IOError: closed",
        "expected the task not to fail the step pay with IOError on attempt 1",
        "expected to have started exactly 1 task of Pay with {:n=>3}, but 0 such were started",
        "expected not to have started a task of Pay, but 1 such was started",
        'expected the task to complete the step pay with nil, but its result is {"n"=>1}'
      )
    end
  end
end
