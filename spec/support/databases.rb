# frozen_string_literal: true

require "open3"

module Support
  # A database that another process holds locked.
  module Held
    # Holds it while the block runs.
    def held
      client = hold
      yield
    ensure
      client&.close
    end

    # Holds it until what this gives is closed: a client that has locked everything it can.
    def hold
      client = IO.popen(client_command, "r+")
      client.puts(lock)
      nil until client.gets.to_s.include?("held")
      client
    end
  end

  # A SQLite file, migrated and empty.
  class SqliteDatabase
    include Held

    # Its content: a file is copied in no time, and migrated in thirty times as long.
    def self.migrated
      @migrated ||= Dir.mktmpdir("tasker-spec") do |folder|
        path = File.join(folder, "template.sqlite3")
        TaskerCore.open("sqlite://#{path}").close
        File.binread(path)
      end
    end

    attr_reader :path

    def initialize
      @folder = Dir.mktmpdir("tasker-spec")
      @path = File.join(@folder, "test.sqlite3")
      File.binwrite(path, self.class.migrated)
    end

    def url = "sqlite://#{path}"
    def backend = "sqlite"

    # Runs SQL in a process of its own: two SQLite libraries in one process lose each other's locks.
    def query(sql)
      output, error, status = Open3.capture3("sqlite3", "-batch", "-cmd", ".timeout 5000", path, stdin_data: sql)
      raise "sqlite3 failed: #{error}" unless status.success?

      output.lines(chomp: true).map { |line| line.split("|", -1) }
    end

    # Another process's lock lets nobody write.
    def client_command = ["sqlite3", "-batch", "-cmd", ".timeout 5000", path]
    def lock = "BEGIN IMMEDIATE; SELECT 'held';"

    def newer_schema
      query("UPDATE tasker_schema_migrations SET version = version + 9000")
    end

    # It is of no use to another example.
    def spoil = nil

    # Lets the leases of dead processes end now.
    def expire_leases
      query("UPDATE tasker_sessions SET expires_at = 0")
    end

    def release
      FileUtils.rm_rf(@folder)
    end
  end

  # An empty database on the PostgreSQL server.
  class PostgresDatabase
    include Held

    LOCK_EVERYTHING = <<~SQL
      BEGIN;
      DO $$ BEGIN EXECUTE (
        SELECT 'LOCK TABLE ' || string_agg(quote_ident(tablename), ', ') || ' IN ACCESS EXCLUSIVE MODE'
        FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'tasker\\_%'
      ); END $$;
      SELECT 'held';
    SQL
    private_constant :LOCK_EVERYTHING

    def initialize
      @name = PostgresServer.borrow
    end

    def url = PostgresServer.url(@name)
    def backend = "postgres"
    def query(sql) = PostgresServer.query(sql, @name)

    # Another session's locks let nobody read or write.
    def client_command = PostgresServer.psql(@name)
    def lock = LOCK_EVERYTHING

    # It is of no use to another example.
    def spoil
      @spoilt = true
    end

    def newer_schema
      spoil
      query("UPDATE tasker_schema_migrations SET version = version + 9000")
    end

    # Lets the leases of dead processes end now.
    def expire_leases
      query("UPDATE tasker_sessions SET expires_at = 'epoch'")
    end

    # How many connections there are beside the one that asks.
    def connections
      query("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() " \
            "AND backend_type = 'client backend'")[0][0].to_i
    end

    def release
      @spoilt ? PostgresServer.drop(@name) : PostgresServer.give_back(@name)
    end
  end

  DATABASES = { "sqlite" => SqliteDatabase, "postgres" => PostgresDatabase }.freeze

  # What an example has on each database: the database, and handles that are closed after it.
  module WithDatabase
    # A handle on the example's database.
    def handle
      @handle ||= open_handle
    end

    # Another one, which is closed after the example too.
    def open_handle(url = database.url, **options)
      opened = TaskerCore.open(url, **options)
      handles << opened
      opened
    end

    def handles
      @handles ||= []
    end

    def sqlite? = database.backend == "sqlite"
    def postgres? = database.backend == "postgres"

    def count(table)
      database.query("SELECT count(*) FROM #{table}")[0][0].to_i
    end

    # How often a step was recorded as complete.
    def completions
      told = count("tasker_workflow_steps WHERE settled_by IS NOT NULL")
      places = count("tasker_workflow_step_transitions WHERE seq > 0 AND seq % 2 = 0")
      moves = database.query("SELECT coalesce(sum(token), 0) FROM tasker_workflow_steps").first.first.to_i
      # A result that replaced another would leave a token without its place in the history.
      raise "#{moves} moves of steps, of which #{told + places} are told" unless moves == told + places

      told + count("tasker_workflow_step_transitions WHERE to_state = 'complete'")
    end

    # How many rows stand in each table that bad input must not touch.
    def census
      tables = %w[named_tasks named_task_revisions tasks workflow_steps task_transitions workflow_step_transitions]
      database.query(tables.map { |table| "SELECT count(*) FROM tasker_#{table}" }.join(" UNION ALL ")).flatten
    end
  end

  # `each_database { … }` runs the examples in it on SQLite and on PostgreSQL; `on_sqlite` and `on_postgres`
  # on one. TASKER_DATABASES=sqlite leaves the other out.
  module EachDatabase
    WANTED = ENV.fetch("TASKER_DATABASES", DATABASES.keys.join(",")).split(",").freeze

    def each_database(&)
      DATABASES.each_key { |name| on_database(name, &) }
    end

    def on_sqlite(&) = on_database("sqlite", &)
    def on_postgres(&) = on_database("postgres", &)

    private

    def on_database(name, &)
      return unless WANTED.include?(name)

      context("on #{name}", database: name) do
        include WithDatabase

        let(:database) { DATABASES.fetch(name).new }

        after do
          @programs&.each(&:kill)
          handles.each(&:close)
          database.release
        end

        class_exec(&)
      end
    end
  end
end
