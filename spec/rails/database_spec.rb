# frozen_string_literal: true

require "uri"

# Which database a Rails app's tasks are in, and how its tables come there.
RSpec.describe "The database of a Rails app", limit: 120 do
  def origin(app) = app.run("TaskerCore.configuration.layers.find(:database_url).to_a")

  # The URL that an entry of database.yml makes; what there is to say of it instead.
  def url_of(settings)
    @booted.run(<<~RUBY)
      entry = ActiveRecord::DatabaseConfigurations::HashConfig.new("test", "queue", #{settings.inspect})
      begin
        TaskerCore::RailsApp::Entry.new(entry).url
      rescue TaskerCore::ConfigurationError => e
        "refused: " + e.message
      end
    RUBY
  end

  context "on PostgreSQL" do
    before(:context) do
      @app = Support::RailsApp.new("postgresql")
      @app.write("app/models/order.rb", "class Order < ActiveRecord::Base\nend\n")
      @app.write("db/migrate/20260101000000_create_orders.rb", <<~RUBY)
        class CreateOrders < ActiveRecord::Migration[6.1]
          def change
            create_table(:orders) { |t| t.string :name }
          end
        end
      RUBY
      @app.write("db/migrate/20260102000000_install_tasker.rb", <<~RUBY)
        class InstallTasker < ActiveRecord::Migration[6.1]
          def up = TaskerCore::Migration.migrate!(connection, to: 2)
        end
      RUBY
      @queue = @app.make_database
      primary = @app.entry(@app.make_database)
      queue = { **@app.entry(@queue), "pool" => 7, "migrations_paths" => "db/queue_migrate" }
      @app.databases = { "test" => { "primary" => primary, "queue" => queue,
                                     "copy" => { **queue, "replica" => true },
                                     "other" => { "adapter" => "sqlite3", "database" => "db/other.sqlite3" } } }
      @primary = primary.fetch("database")
      @booted = @app.boot
      @booted.run("Rails.application.load_tasks; ActiveRecord::Base.configurations.configurations.size")
    end

    after(:context) { @app.release }

    def rake(name) = ask("Rake.application.tasks.each(&:reenable); Rake::Task[#{name.inspect}].invoke; 1")
    def ask(ruby) = @booted.run(ruby)
    def close = ask("TaskerCore::OrchestrationManager.instance.close; 1")

    def schema_format(format)
      ask("[ActiveRecord, ActiveRecord::Base].find { |one| one.respond_to?(:schema_format=) }.schema_format = " \
          "#{format.inspect}; 1")
    end

    def version = ask("TaskerCore::Migration.version(ActiveRecord::Base.connection)")

    # The tables and everything about them, as pg_dump tells it.
    def schema(name)
      program = Support::PostgresServer.send(:server_program, "pg_dump")
      text, status = Open3.capture2(program, "--schema-only", "--table", "tasker_*", Support::PostgresServer.url(name))
      raise "pg_dump failed" unless status.success?

      text.gsub(/^\\(un)?restrict.*$/, "")
    end

    # Rails' own tasks take the client that is installed, which writes settings of its own version.
    def newer_client?
      server = Support::PostgresServer.query("SHOW server_version")[0][0].to_i
      Open3.capture2("pg_dump", "--version").first[/\d+/].to_i > server
    end

    # An empty database of the primary's name.
    def empty
      ask("ActiveRecord::Base.connection_handler.clear_all_connections!; 1")
      Support::PostgresServer.query("DROP DATABASE IF EXISTS #{@primary} WITH (FORCE)")
    end

    def create = Support::PostgresServer.query("CREATE DATABASE #{@primary}")

    # Only the primary: what the tasks do with the others is not ours.
    def with_primary_only
      all = @app.read("config/database.yml")
      ask("ActiveRecord::Base.configurations = #{{ "test" => JSON.parse(all)["test"].slice("primary") }.inspect}; 1")
      yield
    ensure
      ask("ActiveRecord::Base.configurations = #{JSON.parse(all).inspect}")
      ask("ActiveRecord::Base.establish_connection(:primary); 1")
    end

    it "is the primary where nothing else is said, and nothing is opened at boot" do
      url, place = origin(@booted)
      expect([URI.parse(url).path, place]).to eq(["/#{@primary}", "config/database.yml (primary)"])
      expect(ask("[TaskerCore::OrchestrationManager.instance.opened, ActiveRecord::Base.connected?]").first).to be_nil
    end

    it "is the entry that config.tasker.database names, with all that it says, unless a URL is given" do
      ask("Rails.application.config.tasker.database = :queue; 1")
      url, place = origin(@booted)
      expect([URI.parse(url).path, place]).to eq(["/#{@queue}", "config/database.yml (queue)"])
      expect(url).to include("?pool=7")
      expect(ask("TaskerCore.handle.info[:pool][:max]")).to eq(7)
      close
      ask("ENV['TASKER_DATABASE_URL'] = 'sqlite::memory:'; 1")
      expect(origin(@booted)).to eq(["sqlite::memory:", "environment variable TASKER_DATABASE_URL"])
    ensure
      ask("ENV.delete('TASKER_DATABASE_URL'); Rails.application.config.tasker.database = nil; 1")
    end

    { nosuch: /has no entry nosuch for test/, copy: /copy of .* is a replica/,
      other: /other of .* is for sqlite3: ActiveRecord opens that file too/,
      quue: /did you mean "queue"/ }.each do |name, message|
      it "can't be the entry #{name}" do
        ask("Rails.application.config.tasker.database = #{name.inspect}; 1")
        expect { origin(@booted) }.to raise_error(message)
      ensure
        ask("Rails.application.config.tasker.database = nil; 1")
      end
    end

    it "is reached with everything that an entry says" do
      url = url_of({ adapter: "postgresql", host: "db.example", port: 6432, username: "ada l", password: "p:@/?&%",
                     database: "shop", sslmode: "verify-full", sslrootcert: "/etc/ca.pem", connect_timeout: 3,
                     checkout_timeout: 7, pool: 9, prepared_statements: false, schema_search_path: "app, public",
                     variables: { statement_timeout: "5s", timezone: :default }, options: "-c jit=off",
                     application_name: "shop" })
      parsed = URI.parse(url)
      expect([parsed.host, parsed.port, parsed.path]).to eq(["db.example", 6432, "/shop"])
      expect(parsed.userinfo.split(":").map { |word| URI.decode_www_form_component(word) }).to eq(["ada l", "p:@/?&%"])
      expect(URI.decode_www_form(parsed.query).to_h).to eq(
        "sslmode" => "verify-full", "sslrootcert" => "/etc/ca.pem", "connect_timeout" => "3", "acquire_timeout" => "7",
        "pool" => "9", "prepared" => "false", "application_name" => "shop",
        "options" => '-c jit=off -c search_path=app,\\ public -c statement_timeout=5s'
      )
      expect(ask("TaskerCore::Native.check_url(#{url.inspect}); 1")).to eq(1)
      expect(url_of({ adapter: "postgresql", host: "/run/postgresql", database: "shop" }))
        .to eq("postgres:///shop?host=%2Frun%2Fpostgresql")
    end

    it "obeys a search path and variables" do
      Support::PostgresServer.query("CREATE SCHEMA IF NOT EXISTS apart", @queue)
      settings = { **@app.entry(@queue), "schema_search_path" => "apart", "variables" => { "jit" => "off" } }
      ask("TaskerCore.open(#{url_of(settings).inspect}).close; 1")
      found = Support::PostgresServer.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'apart'", @queue)
      expect(found[0][0].to_i).to be > 10
    end

    it "is refused with a setting that the engine can't obey, and warns of one that nobody knows" do
      expect(url_of({ adapter: "postgresql", database: "a", channel_binding: "require" }))
        .to match(/refused: .*\(queue\): tasker_core's engine can't do what channel_binding asks for/)
      log = ask(<<~RUBY)
        out = StringIO.new
        TaskerCore.configuration.logger = Logger.new(out)
        entry = ActiveRecord::DatabaseConfigurations::HashConfig.new("test", "queue", adapter: "postgresql", pasword: "x")
        TaskerCore::RailsApp::Entry.new(entry).url
        TaskerCore.configuration.logger = nil
        out.string
      RUBY
      expect(log).to match(/\(queue\): pasword means nothing to tasker_core \(did you mean "password"/)
    end

    it "has its tables by db:migrate, as the engine makes them, and the engine goes on from there" do
      with_primary_only do
        empty && create
        rake("db:migrate")
        expect(version).to eq(2)
        newest = ask("TaskerCore::Migration.newest")
        expect(ask("TaskerCore::Migration.migrate!(ActiveRecord::Base.connection)")).to eq(newest)
        by_rails = schema(@primary)
        expect(by_rails).to eq(schema(Support::PostgresServer.send(:migrated)))
        expect(ask("TaskerCore::Migration.migrate!(ActiveRecord::Base.connection, to: 1)")).to eq(newest)
        expect(ask("TaskerCore.handle.tasks.count")).to eq(0)
        close
      end
    end

    it "is migrated by the engine first, and the migration finds nothing left to do" do
      with_primary_only do
        empty && create
        ask("TaskerCore.handle.info; 1") && close
        rake("db:migrate")
        expect(version).to eq(ask("TaskerCore::Migration.newest"))
      end
    end

    %i[ruby sql].each do |format|
      it "comes again from a schema in #{format}, with db:schema:load, db:test:prepare and db:prepare" do
        skip "what this pg_dump writes, the older server can't read" if format == :sql && newer_client?
        with_primary_only do
          schema_format(format)
          empty && create
          rake("db:migrate")
          whole = schema(@primary)
          dumped = @app.read(format == :ruby ? "db/schema.rb" : "db/structure.sql")
          if format == :ruby
            expect(dumped).to include("  TaskerCore::Migration.migrate!(connection, to: 2)\nend", '"orders"')
            expect(dumped.scan(/tasker_\w+/)).to eq([])
          end
          %w[db:schema:load db:test:prepare db:prepare].each do |task|
            empty unless task == "db:test:prepare"
            create if task == "db:schema:load"
            rake(task)
            expect([version, schema(@primary) == whole]).to eq([2, true]), task
            expect(ask("Order.create!(name: 'one').id")).to eq(1)
          end
          ask("TaskerCore.handle.info; 1") && close
          expect(version).to eq(ask("TaskerCore::Migration.newest"))
        end
      ensure
        schema_format(:ruby)
      end
    end

    it "leaves its types out of a schema.rb of newer Rails, which tell them" do
      text = <<~RUBY
        ActiveRecord::Schema[7.2].define(version: 2026_01_01_000000) do
          create_enum "mood", ["good", "bad"]
          create_enum "tasker_step_state", ["pending"]

          create_table "orders", force: :cascade do |t|
          end
        end
      RUBY
      adapted = ask("TaskerCore::RailsApp::SchemaDump.adapt(#{text.inspect}, 3)")
      expect(adapted).to include('create_enum "mood"')
      expect(adapted).to end_with("  end\n\n  TaskerCore::Migration.migrate!(connection, to: 3)\nend\n")
      expect(adapted).not_to include("tasker_step_state")
    end

    it "is not migrated to a version that there isn't, nor where something newer was" do
      with_primary_only do
        empty && create
        expect { ask("TaskerCore::Migration.migrate!(ActiveRecord::Base.connection, to: 99)") }
          .to raise_error(/to: is 1 to \d+, the newest version that tasker_core .* knows, not 99/)
        ask("TaskerCore::Migration.migrate!(ActiveRecord::Base.connection)")
        ask("ActiveRecord::Base.connection.execute('INSERT INTO tasker_schema_migrations (version) VALUES (99)'); 1")
        expect { ask("TaskerCore::Migration.migrate!(ActiveRecord::Base.connection)") }
          .to raise_error(/newer tasker_core \(schema 99, this one knows \d+\); upgrade the gem/)
      end
    end

    it "is migrated by one of two that do it at once" do
      with_primary_only do
        empty && create
        versions = ask(<<~RUBY)
          pool = ActiveRecord::Base.connection_pool
          migrating = Array.new(2) { Thread.new { pool.with_connection { |one| TaskerCore::Migration.migrate!(one) } } }
          migrating.map(&:value)
        RUBY
        expect(versions.uniq).to eq([ask("TaskerCore::Migration.newest")])
      end
    end
  end

  context "on SQLite" do
    before(:context) do
      @app = Support::RailsApp.new("sqlite3")
      @booted = @app.boot
    end

    after(:context) { @app.release }

    it "is a file of its own in storage/, which is made when it is needed" do
      expect(origin(@booted)).to eq(["sqlite://#{@app.folder}/storage/tasker_test.sqlite3", "default"])
      expect(Dir.glob("#{@app.folder}/storage/*")).to eq([])
      expect(@booted.run("TaskerCore.handle.info[:backend]")).to eq("sqlite")
      @booted.run("TaskerCore::OrchestrationManager.instance.close; 1")
      expect(File).to exist("#{@app.folder}/storage/tasker_test.sqlite3")
    end

    it "is never the app's own file, by whatever name, whether ActiveRecord has it open or not" do
      @booted.run("ActiveRecord::Base.connection.execute('SELECT 1'); 1")
      @booted.run("ActiveRecord::Base.connection_handler.clear_all_connections!; 1")
      File.symlink("#{@app.folder}/db/test.sqlite3", "#{@app.folder}/db/link.sqlite3")
      explained = %r{is the app's own database \(primary in config/database.yml\).*POSIX.*storage/tasker_test}m
      %W[sqlite:db/test.sqlite3 sqlite://#{@app.folder}/db/test.sqlite3?pool=2 sqlite:db/link.sqlite3].each do |url|
        expect { @booted.run("TaskerCore.open(#{url.inspect})") }.to raise_error(explained)
      end
    end

    it "takes no migration over the app's own connection" do
      expect { @booted.run("TaskerCore::Migration.migrate!(ActiveRecord::Base.connection)") }
        .to raise_error(/this is one to SQLite: there tasker_core keeps tasks in an SQLite file of its own/)
    end
  end
end
