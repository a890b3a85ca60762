# frozen_string_literal: true

# How handlers run in a Rails app, and what comes with their tasks.
RSpec.describe "Handlers in a Rails app", limit: 120 do
  %w[postgresql sqlite3].each do |adapter|
    context "on #{adapter}" do
      before(:context) do
        @app = Support::RailsApp.new(adapter)
        @app.write("app/models/order.rb", "class Order < ActiveRecord::Base\nend\n")
        @app.write("app/models/current.rb", <<~RUBY)
          class Current < BaseAttributes
            attribute :order, :user_id, :at, :kind, :api_token, :socket
          end
        RUBY
        @app.write("app/models/base_attributes.rb", "class BaseAttributes < ActiveSupport::CurrentAttributes\nend\n")
        @app.write("app/controllers/orders_controller.rb", <<~RUBY)
          class OrdersController < ActionController::API
            def create
              order = Order.create!(name: params[:name])
              Current.set(order: order, user_id: 7, at: Time.utc(2026, 1, 2, 3), kind: :web, api_token: "hunter2",
                          socket: $stdin) do
                I18n.with_locale(:de) { Time.use_zone("Berlin") { render json: { id: Watch.start({}).id } } }
              end
            end
          end
        RUBY
        @app.write("app/workflows/watch.rb", <<~RUBY)
          class Watch < TaskerCore::Workflow
            step :look do |_ctx|
              raise Object.const_get($raised), "lost" if $raised

              { order: Current.order&.name, user_id: Current.user_id, at: Current.at&.iso8601, kind: Current.kind.inspect,
                token: Current.api_token.inspect, socket: Current.socket.inspect, locale: I18n.locale,
                zone: Time.zone.name, executor: Rails.application.executor.active?,
                connection: (Order.count; !!ActiveRecord::Base.connection_pool.active_connection?) }
            end
          end
        RUBY
        @app.write("config/routes.rb", "Rails.application.routes.draw { resources :orders, only: :create }\n")
        @app.configure("config.tasker.threads = 4")
        @app.configure("config.i18n.available_locales = %i[en de]")
        @booted = @app.boot
        @booted.run(<<~RUBY)
          ActiveRecord::Base.connection.create_table(:orders) { |t| t.string :name }
          $log = StringIO.new
          Rails.logger = ActiveSupport::TaggedLogging.new(Logger.new($log))
          def work = TaskerCore.work(until: :idle, timeout: 30)
          def run(name, &block)
            TaskerCore.register({ name: name, steps: [{ name: "only", retryable: false }] }, handlers: { only: block })
            task = TaskerCore.create_task(name)
            work
            step = task.reload.step(:only)
            step.complete? ? step.result : step.error["message"]
          end
          # Has Rails answer a method as a newer one does.
          def answering(name, object)
            before = Rails.singleton_class.instance_method(name) if Rails.respond_to?(name)
            Rails.define_singleton_method(name) { object }
            yield
          ensure
            Rails.singleton_class.remove_method(name)
            Rails.singleton_class.define_method(name, before) if before
          end
          def logged = $log.string.dup.tap { $log.truncate($log.rewind) }
          def insert = "INSERT INTO orders (name) VALUES ('x')"
          1
        RUBY
      end

      after(:context) { @app.release }

      def ask(ruby) = @booted.run(ruby)

      it "know what the request knew that asked for their task, in a thread of their own" do
        seen = ask(<<~RUBY)
          session = ActionDispatch::Integration::Session.new(Rails.application)
          session.host! "localhost"
          session.post("/orders", params: { name: "tea" })
          id = JSON.parse(session.response.body).fetch("id")
          raise "it is still there" unless Current.user_id.nil? && I18n.locale == :en
          work
          step = TaskerCore.task(id).step(:look)
          step.result || step.error
        RUBY
        expect(seen).to include("order" => "tea", "user_id" => 7, "at" => "2026-01-02T03:00:00Z", "kind" => ":web",
                                "locale" => "de", "zone" => "Berlin", "executor" => true)
        # What is named like a secret is not written down, and what can't be is told of.
        expect(seen).to include("token" => "nil", "socket" => "nil")
        expect(ask("logged")).to include("Current.socket does not travel with tasks: a IO can't be written down")
      end

      it "know nothing of earlier ones" do
        seen = ask("task = Watch.start({}); work; task.reload.step(:look).result")
        expect(seen).to include("order" => nil, "user_id" => nil, "locale" => "en", "zone" => "UTC")
      end

      it "go without what can't be written down of what was there, which is told of once" do
        values = ['"tea \xff".b', "Float::NAN", "2**64", "[2**64]", "{ 'a' => 0.0 / 0 }", "-1.0 / 0"]
        seen = ask(<<~RUBY)
          logged
          [#{values.join(", ")}].map do |value|
            task = Current.set(kind: value, user_id: 8) { Watch.start({}) }
            work
            task.reload.step(:look).result.values_at("kind", "user_id")
          end
        RUBY
        expect(seen).to eq([["nil", 8]] * values.size)
        expect(ask("logged").scan(/Current.kind does not travel with tasks: .*$/).size).to eq(1)
      end

      it "go without a record that was deleted since, and wait for one that can't be read now" do
        seen = ask(<<~RUBY)
          logged
          order = Order.create!(name: "gone")
          task = Current.set(order: order, user_id: 8) { Watch.start({}) }
          order.destroy
          work
          task.reload.step(:look).then { |step| step.result&.values_at("order", "user_id") || step.error }
        RUBY
        expect(seen).to eq([nil, 8])
        expect(ask("logged")).to match(/Current.order is not there any more: Couldn't find Order/)
        seen = ask(<<~RUBY)
          begin
            order = Order.create!(name: "late")
            task = Current.set(order: order) { Watch.start({}) }
            Order.define_singleton_method(:find) { |*| raise ActiveRecord::ConnectionNotEstablished, "down" }
            worker = TaskerCore.worker(threads: 1).start
            sleep 0.01 until task.reload.step(:look).waiting_for_retry?
            Order.singleton_class.remove_method(:find)
            [task.step(:look).error&.fetch("class"), task.wait(timeout: 20).step(:look).result["order"]]
          ensure
            worker&.stop(timeout: 5)
          end
        RUBY
        expect(seen).to eq(["ActiveJob::DeserializationError", "late"])
      end

      it "leave a test what it knew where they run on its thread, and see what it wrote" do
        seen = ask(<<~RUBY)
          require "tasker_core/testing"
          Order.transaction(joinable: false) do
            Current.user_id = 9
            TaskerCore::Testing.inline! do
              order = Order.create!(name: "uncommitted")
              flow = Class.new(TaskerCore::Workflow) do
                task_name "counting"
                step(:only) { |ctx| [Order.find(ctx.context["id"]).name, Current.user_id] }
              end
              task = TaskerCore.create_task(flow, context: { id: order.id })
              [task.reload.step(:only).result, Current.user_id, Order.where(name: "uncommitted").count]
            end
          ensure
            Current.reset
            Order.where(name: "uncommitted").delete_all
          end
        RUBY
        expect(seen).to eq([["uncommitted", 9], 9, 1])
      end

      it "give their connections back" do
        ask("3.times { |n| run('count') { Order.count } }")
        stat = ask("ActiveRecord::Base.connection_handler.clear_active_connections!; " \
                   "run('count') { Order.count }; ActiveRecord::Base.connection_pool.stat")
        expect(stat).to include("busy" => 0)
      end

      it "may leave no transaction open: it is undone, and the attempt has failed" do
        before = ask("Order.count")
        expect(ask("run('left') { Order.connection.begin_transaction; Order.create!(name: 'x'); 1 }"))
          .to match(/the handler left a transaction open \(primary\); it was rolled back/)
        expect(ask("run('raw') { %(BEGIN,\#{insert}).split(',').each { |sql| Order.connection.execute(sql) } }"))
          .to match(/left a transaction open/)
        ask("logged")
        expect(ask("run('raised') { Order.connection.begin_transaction; Order.create!(name: 'x'); raise 'lost' }"))
          .to eq("lost")
        expect(ask("logged")).to match(%r{ERROR|/only: the handler left a transaction open})
        expect(ask("run('whole') { Order.transaction { 2 } }")).to eq(2)
        expect(ask("[Order.count, ActiveRecord::Base.connection_pool.stat[:busy] <= 1]")).to eq([before, true])
      end

      it "have a line in the log for each attempt, tagged with the step" do
        ask("logged")
        ask("run('quiet') { Rails.logger.info('inside'); 1 }; run('loud') { raise KeyError, 'lost' }")
        log = ask("logged")
        expect(log).to match(%r{^\[tasker\] \[[0-9a-f-]{36}/only\] inside$})
        expect(log).to match(%r{^\[tasker\] \[\S+/only\] default/quiet only done in [\d.]+ ms, attempt 1 of 1$})
        expect(log).to match(%r{default/loud only failed in [\d.]+ ms, attempt 1 of 1: KeyError: lost$})
        expect(log.scan("default/quiet only").size).to eq(1)
      end

      it "have one of JSON with config.tasker.log_format = :json" do
        ask("logged; Rails.application.config.tasker.log_format = :json; 1")
        ask("run('quiet') { 1 }; run('loud') { raise KeyError, 'lost' }")
        quiet, loud = ask("logged").lines.grep(/\A\{/).map { |line| JSON.parse(line) }
        expect(quiet).to include("severity" => "INFO", "event" => "step", "step" => "only", "task" => "quiet",
                                 "namespace" => "default", "attempt" => 1, "outcome" => "done")
        expect(quiet["duration_ms"]).to be_a(Float)
        expect(loud).to include("severity" => "WARN", "outcome" => "failed", "error_class" => "KeyError",
                                "error_message" => "lost")
      ensure
        ask("Rails.application.config.tasker.log_format = :text; 1")
      end

      it "have what they raise told to Rails.error, once, where there is that, with or without a source" do
        reports = ask(<<~RUBY)
          $reports = []
          older = Class.new do
            def report(error, handled:, severity: nil, context: {}) = $reports << [error.message, handled, severity, context[:step]]
          end
          newer = Class.new do
            def report(error, handled:, severity: nil, context: {}, source: nil) = $reports << [error.message, handled, source]
          end
          [older, newer].each do |reporter|
            answering(:error, reporter.new) { run("told") { raise "lost" } && run("fine") { 1 } }
          end
          TaskerCore.register({ name: "twice", steps: [{ name: "only", retry_limit: 2, backoff: "none" }] },
                              handlers: { only: ->(_ctx) { raise "again" } })
          TaskerCore.create_task("twice")
          answering(:error, newer.new) { work }
          $reports
        RUBY
        expect(reports).to eq([["lost", false, "error", "only"], ["lost", false, "tasker_core"],
                               ["again", true, "tasker_core"], ["again", false, "tasker_core"]])
      end

      it "have what no other attempt cures told to Rails.error as unhandled, though attempts are left" do
        reports = ask(<<~RUBY)
          class Failing < ActiveJob::Base
            def perform = raise(KeyError, "job")
          end
          reports = []
          reporter = Object.new
          reporter.define_singleton_method(:report) { |error, handled:, severity: nil, **| reports << [error.message, handled, severity] }
          errors = [TaskerCore::DatabaseError.new("disk"), TaskerCore::DatabaseError.new("busy", retryable: true),
                    TaskerCore::PermanentError.new("declined")]
          again = ->(ctx) { raise errors[ctx.context["error"]] if ctx.attempt == 1 }
          TaskerCore.register({ name: "final", steps: [{ name: "only", backoff: "none" }] }, handlers: { only: again })
          TaskerCore.register({ name: "job", steps: [{ name: "only", job: Failing }] })
          answering(:error, reporter) do
            [["final", 0], ["final", 1], ["final", 2], ["job", nil]].each do |name, error|
              TaskerCore.create_task(name, context: { error: error }.compact)
              work
            end
          end
          reports
        RUBY
        expect(reports).to eq([["disk", false, "error"], ["busy", true, "warning"], ["declined", false, "error"],
                               ["job", false, "error"]])
      end

      it "are told of to Rails.event where there is that" do
        told = ask(<<~RUBY)
          told = []
          one = Object.new
          one.define_singleton_method(:notify) { |name, **payload| told << [name, payload[:task], payload[:outcome]] }
          answering(:event, one) { run("told") { 1 } }
          told
        RUBY
        expect(told).to eq([["tasker.step", "told", "done"]])
      end

      it "have what they raise told to those who subscribe to Rails' own Rails.error" do
        skip "this Rails has none" unless ask("Rails.respond_to?(:error)")
        reports = ask(<<~RUBY)
          reports = []
          one = Object.new
          one.define_singleton_method(:report) { |error, handled:, source: nil, **| reports << [error.message, handled, source] }
          Rails.error.subscribe(one)
          run("told") { raise "lost" }
          Rails.error.unsubscribe(one) if Rails.error.respond_to?(:unsubscribe)
          reports
        RUBY
        expect(reports).to eq([["lost", false, "tasker_core"]])
      end

      it "have settings in config.tasker, whose misspelling is found at once" do
        expect { ask("Rails.application.config.tasker.treads = 3") }.to raise_error(/NoMethodError.*treads/m)
        expect(ask("Rails.application.config.tasker.equal?(TaskerCore.configuration)")).to be(true)
        expect(ask("TaskerCore.configuration.filter.include?('ssn')")).to be(true)
        threads = ask("TaskerCore.configuration.settings.find { |setting| setting[:name] == :threads }")
        expect(threads).to include("value" => 4, "origin" => a_string_matching(%r{\Aconfig/application.rb:\d+\z}))
      end
    end
  end

  context "where classes are reloaded" do
    before(:context) do
      @app = Support::RailsApp.new("sqlite3", environment: "development")
      @app.configure("config.file_watcher = ActiveSupport::FileUpdateChecker")
      write("one", "one")
      @booted = @app.boot
    end

    after(:context) { @app.release }

    def write(handler, block)
      @app.write("app/steps/pack.rb", <<~RUBY)
        class Pack < TaskerCore::StepHandler
          def call(_ctx) = #{handler.inspect}
        end
      RUBY
      @app.write("app/workflows/ship.rb", <<~RUBY)
        class Ship < TaskerCore::Workflow
          step :pack, Pack
          step(:send, depends_on: :pack) { |ctx| [ctx.result(:pack), #{block.inspect}] }
        end
      RUBY
    end

    it "run the code as it is when their step begins" do
      @booted.run("TaskerCore.register(Ship); $worker = TaskerCore.worker(threads: 2).start; 1")
      result = -> { @booted.run("TaskerCore.create_task('ship').wait(timeout: 20).step(:send).result") }
      expect(result.call).to eq(%w[one one])
      write("two", "two")
      expect(result.call).to eq(%w[two two])
    ensure
      @booted.run("$worker.stop(timeout: 5); 1")
    end
  end
end
