# frozen_string_literal: true

require "socket"

# `plugin :tasker` in the config/puma.rb that `rails new` writes, with `rails server` as users start it.
RSpec.describe "Puma's plugin in a Rails app", limit: 120 do
  %w[postgresql sqlite3].each do |adapter|
    context "on #{adapter}" do
      before(:context) do
        @app = Support::RailsApp.new(adapter)
        @app.write("app/models/order.rb", "class Order < ActiveRecord::Base\nend\n")
        @app.write("app/controllers/orders_controller.rb", <<~RUBY)
          class OrdersController < ActionController::API
            def create
              order = Order.create!(name: "tea")
              render json: { task: Fulfil.start({ order: order.id }).id, pid: Process.pid }
            end

            def show
              task = TaskerCore.task(params[:id])
              render json: { status: task.status, result: task.step(:ship).result }
            end
          end
        RUBY
        @app.write("app/workflows/fulfil.rb", <<~RUBY)
          class Fulfil < TaskerCore::Workflow
            step(:ship) do |ctx|
              { name: Order.find(ctx.context["order"]).name, pid: Process.pid,
                executor: Rails.application.executor.active? }
            end
          end
        RUBY
        @app.write("config/routes.rb", "Rails.application.routes.draw { resources :orders, only: %i[create show] }\n")
        @app.command("bin/rails", "runner", <<~RUBY)
          ActiveRecord::Base.connection.create_table(:orders) { |t| t.string :name }
        RUBY
        @app.delete("Gemfile") # with which Puma restarts under a Bundler that wants all gems of it
        @puma = @app.read("config/puma.rb")
      end

      after(:context) { @app.release }

      # rails server takes its port from the environment: one that is free right now.
      def serve(lines)
        @app.write("config/puma.rb", "#{@puma}\nplugin :tasker\n#{lines}\n")
        @port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
        env = { "RAILS_ENV" => "test", "TASKER_DATABASE_URL" => nil, "PORT" => @port.to_s, "WEB_CONCURRENCY" => nil }
        start_command([RbConfig.ruby, "bin/rails", "server", "-b", "127.0.0.1"], env: env, folder: @app.folder)
      end

      def ask(verb, path)
        TCPSocket.open("127.0.0.1", @port) do |socket|
          socket.write("#{verb} #{path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
          head, body = socket.read.split("\r\n\r\n", 2)
          raise head unless head.match?(%r{\AHTTP/1\.\d 20})

          JSON.parse(body)
        end
      end

      # What a request's task gave, and which process answered the request.
      def fulfil
        asked = ask("POST", "/orders")
        told = nil
        eventually(within: 20) { (told = ask("GET", "/orders/#{asked["task"]}"))["status"] == "complete" }
        [told["result"], asked["pid"]]
      end

      def ends_well(program)
        program.signal("TERM")
        outcome = program.outcome
        expect(outcome.output).not_to match(/tasker:|Error|warn/i)
      end

      it "runs steps in the web process, with the app's models, and goes on when Puma restarts itself" do
        program = serve("")
        await_words(program, /Use Ctrl-C to stop/, within: 60)
        result, pid = fulfil
        expect(pid).to eq(program.pid)
        expect(result).to eq("name" => "tea", "pid" => pid, "executor" => true)
        program.signal("USR2")
        await_words(program, /(Use Ctrl-C to stop.*){2}/m, within: 60)
        expect(fulfil.first).to eq(result)
        ends_well(program)
      end

      it "runs them in each worker of a cluster, with preload_app!, and after one of them was lost" do
        program = serve("workers 2\npreload_app!")
        await_words(program, /Worker 1 .*booted/, within: 60)
        await_words(program, /Worker 0 .*booted/)
        pids = program.text.scan(/Worker \d+ \(PID: (\d+)\)/).flatten.map(&:to_i)
        result, web = fulfil
        expect(pids).to include(web, result["pid"])
        expect(pids).not_to include(program.pid)
        Process.kill("KILL", result["pid"])
        eventually(within: 60) { program.text.scan(/Worker \d+ \(PID: (\d+)\)/).uniq.size > 2 }
        expect(fulfil.first).to include("name" => "tea", "executor" => true)
        ends_well(program)
      end
    end
  end
end
