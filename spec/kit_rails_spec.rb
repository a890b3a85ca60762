# frozen_string_literal: true

# The test kit among what Rails does around a test: transactional fixtures, travel, CurrentAttributes.
RSpec.describe "The test kit in a Rails application" do
  it "runs steps inside of the test's transaction, at the test's time" do
    outcome = run_program(<<~RUBY)
      ENV["RAILS_ENV"] = "test"
      ENV["DATABASE_URL"] = "sqlite3::memory:"
      require "rails"
      require "active_record/railtie"
      require "active_job/railtie"
      require "tasker_core"

      class App < Rails::Application
        config.eager_load = false
        config.logger = Logger.new(File::NULL)
        config.active_record.maintain_test_schema = false
      end
      # As an executor does it: nothing of one request is to be there in the next.
      TaskerCore.configuration.around_attempt do |_ctx, attempt|
        user = Current.user
        ActiveSupport::CurrentAttributes.reset_all
        Current.set(user: user) { attempt.call }
      ensure
        ActiveSupport::CurrentAttributes.reset_all
      end
      App.initialize!
      ActiveRecord::Schema.verbose = false
      ActiveRecord::Schema.define { create_table(:orders) { |t| t.string :state } }

      class Current < ActiveSupport::CurrentAttributes
        attribute :user
      end

      class Order < ActiveRecord::Base
        after_commit(on: :update) { Ship.start({ id: id }) if state == "paid" }
      end

      class Ship < TaskerCore::Workflow
        step(:ship) { |ctx| Order.find(ctx.context["id"]).update!(state: "shipped") && [Current.user, Thread.current[:tenant]] }
      end

      class WelcomeJob < ActiveJob::Base
        retry_on IOError, wait: 3600, attempts: 2

        def perform(name) = "hello \#{name}"
      end

      class Welcome < TaskerCore::Workflow
        step :mail, job: WelcomeJob, arguments: ->(ctx) { [ctx.context["name"]] }
      end

      require "rails/test_help"
      require "tasker_core/minitest"

      class ActiveSupport::TestCase
        include TaskerCore::Testing::Assertions
        tasker :inline
      end

      class OrderTest < ActiveSupport::TestCase
        test "what a commit starts" do
          Current.user = "Ada"
          Thread.current[:tenant] = 1
          order = Order.create!(state: "new")
          assert_task_started(Ship, with: { id: order.id }) { order.update!(state: "paid") }
          assert_equal "shipped", order.reload.state
          assert_step_completed started_tasks.last, :ship, with: ["Ada", 1]
          assert_equal "Ada", Current.user
        end

        test "what a transaction starts" do
          order = Order.create!(state: "new")
          task = Order.transaction do
            Ship.start({ id: order.id }).tap { assert_empty started_tasks }
          end
          assert_task_completed task
          assert_equal "shipped", order.reload.state
          Order.transaction do
            assert_task_completed run_workflow(Ship, id: order.id)
            refute_task_started(Ship) { Ship.start({ id: order.id }) }
            raise ActiveRecord::Rollback
          end
          assert_equal 2, started_tasks.size
        end

        test "what a job makes of its errors" do
          assert_step_completed run_workflow(Welcome, name: "Ada"), :mail, with: "hello Ada"
          fail_step(:mail, with: IOError, times: 1)
          assert_step_completed run_workflow(Welcome, name: "Ada"), :mail, on_attempt: 2
          fail_step(:mail, with: IOError)
          assert_step_failed run_workflow(Welcome, name: "Ada"), :mail, with_error: IOError, on_attempt: 2
        end

        test "what is due tomorrow" do
          order = Order.create!(state: "new")
          Ship.start({ id: order.id }, run_at: 1.day.from_now)
          assert_equal 0, drain.ran
          travel 25.hours
          assert_equal 1, drain.ran
        end

        test "what the tests before it left" do
          assert_equal [0, []], [Order.count, started_tasks]
        end
      end
      exit Minitest.run(["--seed", "1"])
    RUBY
    expect(outcome.output).to include("5 runs, ", " 0 failures, 0 errors, 0 skips")
  end
end
