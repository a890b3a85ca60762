# frozen_string_literal: true

require "fileutils"
require "open3"
require "socket"
require "uri"

module Chaos
  # @param server [String, nil] the folder of a PostgreSQL server that may be restarted
  def self.database(url, server)
    url.start_with?("sqlite") ? SqliteDatabase.new(url) : PostgresDatabase.new(url, server)
  end

  # An SQLite file, and what can be done to it from outside.
  class SqliteDatabase
    FAULTS = %w[lock].freeze
    # What of a step's id SQL can show.
    TASK = "lower(hex(%s))"

    attr_reader :url

    def initialize(url)
      @url = url
      @path = url.sub(%r{\Asqlite:(//)?}, "").sub(/\?.*/, "")
    end

    def kind = "sqlite"
    def faults = FAULTS

    # In a process of its own: two SQLite libraries in one lose each other's locks.
    def query(sql)
      output, status = Open3.capture2e(*client, stdin_data: sql)
      raise "sqlite3: #{output}" unless status.success?

      output.lines(chomp: true).map { |line| line.split("|", -1) }
    end

    # Nobody else can write for so long.
    def lock(fault)
      IO.popen([*client, { err: File::NULL }], "r+") do |sqlite|
        sqlite.puts("BEGIN IMMEDIATE; SELECT 'held';")
        held = sqlite.gets
        sleep(fault["seconds"]) if held
        held
      end
    end

    # Leaves nothing of it. Nobody may have it open.
    def empty = FileUtils.rm_f(Dir["#{@path}*"])

    # Keeps what a failed run leaves.
    def keep(folder) = FileUtils.cp(Dir["#{@path}*"], folder)

    private

    def client = ["sqlite3", "-batch", "-bail", "-cmd", ".timeout 10000", @path]
  end

  # A PostgreSQL database. Its server is restarted only where its folder is known: it is the storm's own then.
  class PostgresDatabase
    TASK = "replace(%s::text, '-', '')"
    # More than the server has.
    ENOUGH = 400

    attr_reader :url

    def initialize(url, server)
      @url = url
      @server = server
      @restarting = Mutex.new
    end

    def kind = "postgres"
    def faults = @server ? %w[restart cut fill] : %w[cut fill]

    def query(sql)
      output, status = Open3.capture2e("psql", "-XqAt", "--set=ON_ERROR_STOP=1", @url, stdin_data: sql)
      raise "psql: #{output}" unless status.success?

      output.lines(chomp: true).map { |line| line.split("|", -1) }
    end

    # As after the server's own crash: nothing is written back first.
    def restart(_)
      @restarting.synchronize do
        as_postgres = Process.uid.zero? ? %w[runuser -u postgres --] : []
        system(*as_postgres, "#{ENV.fetch("CHAOS_POSTGRES_PROGRAMS")}/pg_ctl", "--pgdata", "#{@server}/data", "--log",
               "#{@server}/server.log", "--mode", "immediate", "--wait", "--silent", "restart",
               chdir: @server, %i[out err] => File::NULL)
      end
    end

    def cut(fault)
      query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' " \
            "AND pid <> pg_backend_pid() ORDER BY random() LIMIT #{Integer(fault["connections"])}").any?
    rescue RuntimeError
      false
    end

    # Takes every connection that the server has left.
    def fill(fault)
      taken = []
      nil while taken.size < ENOUGH && connect(taken)
      sleep(fault["seconds"])
      taken.any?
    ensure
      taken.each(&:close)
    end

    # Leaves nothing of it.
    def empty = query("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def keep(_) = nil

    private

    # One more, if the server lets us in. The first message of PostgreSQL's protocol, version 3.0.
    def connect(taken)
      uri = URI.parse(@url)
      socket = TCPSocket.new(uri.host, uri.port || 5432)
      taken << socket
      words = ["user", uri.user || "postgres", "database", uri.path.delete_prefix("/"), ""].map { |word| "#{word}\0" }
      socket.write([words.join.bytesize + 8, 196_608, words.join].pack("NNa*"))
      socket.read(1) == "R"
    rescue SystemCallError
      false
    end
  end
end
