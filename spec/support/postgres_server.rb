# frozen_string_literal: true

require "open3"
require "uri"

module Support
  # The PostgreSQL server of the run: that of TASKER_TEST_DATABASE_URL, or one that this module starts on a
  # free port, with the server's default durability, and stops at the end.
  module PostgresServer
    TEMPLATE = "tasker_spec_test_#{Process.pid}_template".freeze
    OWN_OPTIONS = %w[pool acquire_timeout prepared].freeze
    # TRUNCATE makes every table's files anew, which takes much longer than to delete a few rows. The namespaces come
    # last: what stands in them refers to them.
    EMPTY = <<~SQL
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
      DO $$ DECLARE name text; BEGIN
        FOR name IN
          SELECT tablename FROM pg_tables
          WHERE schemaname = 'public' AND tablename LIKE 'tasker\\_%' AND tablename <> 'tasker_schema_migrations'
          ORDER BY tablename = 'tasker_task_namespaces'
        LOOP
          IF pg_table_size(name::regclass) < 1000000 THEN EXECUTE format('DELETE FROM %I', name);
          ELSE EXECUTE format('TRUNCATE %I CASCADE', name); END IF;
        END LOOP;
        FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
          EXECUTE format('ALTER SEQUENCE %I RESTART', name);
        END LOOP;
      END $$;
    SQL

    @made = []
    @free = []

    class << self
      # A database's name, migrated and empty.
      def borrow
        @free.pop || make
      end

      # Takes a database back, for another example.
      def give_back(name)
        query(EMPTY, name)
        @free.push(name)
      end

      # Makes a database, of `template` or as this gem migrates it.
      def make(template: migrated)
        name = "tasker_spec_test_#{Process.pid}_#{@made.size}"
        query("CREATE DATABASE #{name} TEMPLATE #{template}")
        @made << name
        name
      end

      def drop(name)
        query("DROP DATABASE IF EXISTS #{name} WITH (FORCE)")
        @made.delete(name)
      end

      # The URL of a database of this server.
      def url(name)
        uri = URI.parse(server)
        uri.path = "/#{name}"
        uri.to_s
      end

      # Runs SQL through psql; rows of columns, as text.
      def query(sql, name = nil)
        output, error, status = Open3.capture3(*psql(name), stdin_data: sql)
        raise "psql failed: #{error}" unless status.success?

        output.lines(chomp: true).map { |line| line.split("|", -1) }
      end

      # The command that reads SQL and prints rows. It is the server's own where that is here: what Debian calls psql
      # is a script that looks for it, which takes longer than most statements.
      def psql(name = nil)
        [server_program("psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1",
         for_psql(name)]
      end

      # Stops what this module started; drops what it made elsewhere.
      def stop
        if @home
          pg("pg_ctl", "-D", "#{@home}/data", "-m", "immediate", "-s", "stop")
          FileUtils.rm_rf(@home)
          @home = nil
        elsif @server
          @made << TEMPLATE if @migrated
          drop(@made.last) until @made.empty?
        end
      end

      private

      def server
        @server ||= ENV.fetch("TASKER_TEST_DATABASE_URL") { start }
      end

      def migrated
        @migrated ||= begin
          query("CREATE DATABASE #{TEMPLATE}")
          TaskerCore.open(url(TEMPLATE)).close
          query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '#{TEMPLATE}'")
          TEMPLATE
        end
      end

      def for_psql(name)
        uri = URI.parse(server)
        uri.path = "/#{name}" if name
        options = URI.decode_www_form(uri.query.to_s).to_h.except(*OWN_OPTIONS)
        uri.query = options.empty? ? nil : URI.encode_www_form(options)
        uri.to_s
      end

      def start
        @home = Dir.mktmpdir("tasker-spec-postgres")
        FileUtils.chown("postgres", nil, @home) if Process.uid.zero?
        port = TCPServer.open("127.0.0.1", 0) { |socket| socket.addr[1] }
        pg("initdb", "-D", "#{@home}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8")
        pg("pg_ctl", "-D", "#{@home}/data", "-l", "#{@home}/log", "-w", "-s", "-o",
           "-p #{port} -k #{@home} -c listen_addresses=127.0.0.1", "start")
        "postgres://postgres@127.0.0.1:#{port}/postgres"
      end

      # A server's own program, which does not run as root.
      def pg(program, *arguments)
        as_postgres = Process.uid.zero? ? %w[runuser -u postgres --] : []
        return if system(*as_postgres, server_program(program), *arguments, chdir: @home, out: "#{@home}/out",
                                                                            err: %i[child out])

        raise "#{program} failed: #{File.read("#{@home}/out")}"
      end

      def server_program(name)
        @folder ||= Dir["/usr/lib/postgresql/*/bin"].max_by { |path| path[/\d+/].to_i }
        path = "#{@folder}/#{name}"
        File.executable?(path) ? path : name
      end
    end
  end
end
