# frozen_string_literal: true

# A Rails app whose database is another than that of its tasks: jobs, transactions and the outbox, as Rails wires them.
RSpec.describe "Transactions and jobs of a Rails app", limit: 120 do
  before(:context) do
    @app = Support::RailsApp.new("sqlite3")
    @app.configure("config.active_job.queue_adapter = :tasker")
    @app.write("app/models/order.rb", "class Order < ActiveRecord::Base\nend\n")
    @app.write("app/jobs/welcome_job.rb", <<~RUBY)
      class WelcomeJob < ActiveJob::Base
        queue_as :mailers
        def perform(order, note: "plain") = order.update!(name: note)
      end
    RUBY
    @app.write("app/workflows/fulfil.rb", <<~RUBY)
      class Fulfil < TaskerCore::Workflow
        step(:find) { |ctx| Order.find(ctx.context["id"]).id }
        step :mail, job: "WelcomeJob", depends_on: :find, arguments: ->(ctx) { [Order.find(ctx.result(:find)), { note: "step" }] }
      end
    RUBY
    @app.write("db/migrate/20260101000000_create_orders.rb", <<~RUBY)
      class CreateOrders < ActiveRecord::Migration[6.1]
        def change
          create_table(:orders) { |t| t.string :name }
        end
      end
    RUBY
    @booted = @app.boot
    ask("Rails.application.load_tasks; require 'rails/generators'; 1")
    ask("Rails::Generators.invoke('tasker:outbox', ['--quiet'], destination_root: Rails.root.to_s); 1")
    rake("db:migrate")
  end

  after(:context) { @app.release }

  def ask(ruby) = @booted.run(ruby)
  def rake(name) = ask("Rake.application.tasks.each(&:reenable); Rake::Task[#{name.inspect}].invoke; 1")

  # One thread: of two that write to an SQLite file, one would wait with Ruby's lock in its hand for the other.
  it "make tasks and jobs of what was committed, which find its records" do
    statuses = ask(<<~RUBY)
      tasks = Order.transaction do
        order = Order.create!
        other = Order.create!
        WelcomeJob.perform_later(other)
        [Fulfil.start({ id: order.id }, transactional: true), Fulfil.start({ id: order.id })]
      end
      Order.transaction { Fulfil.start({ id: 1 }, transactional: true) && WelcomeJob.perform_later(Order.first) && raise(ActiveRecord::Rollback) }
      TaskerCore.handle.work(threads: 1, until: :idle, timeout: 20)
      [tasks.map(&:status), TaskerCore.tasks.map(&:status), Order.order(:id).map(&:name), TaskerCore::Outbox.entries.size]
    RUBY
    expect(statuses).to eq([%w[created created], %w[complete] * 3, %w[step plain], 0])
  end

  it "keep the outbox in schema.rb" do
    expect(@app.read("db/schema.rb")).to match(/create_table "tasker_outbox", .+ force: :cascade do/)
    rake("db:schema:load")
    written = ask(<<~RUBY)
      written = nil
      Order.transaction do
        Fulfil.start({ id: 1 }, transactional: true)
        written = TaskerCore::Outbox.entries.size
        raise ActiveRecord::Rollback
      end
      written
    RUBY
    expect(written).to eq(1)
  end
end
