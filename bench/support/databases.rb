# frozen_string_literal: true

require "tmpdir"
require_relative "psql"

module Bench
  # The databases that a suite measures on: an SQLite file of its own, and one on the server that bin/bench started.
  # Their durability is the default: what users run.
  class Databases
    KINDS = %w[sqlite postgres].freeze

    # @param wanted [String] `sqlite`, `postgres` or `both`
    def initialize(wanted)
      @wanted = wanted == "both" ? KINDS : [wanted]
    end

    # @yieldparam kind [String]
    # @yieldparam fresh [Proc] the URL of a database that nothing is in, another one each time
    def each(&) = all { |fresh| fresh.each(&) }

    # @yieldparam fresh [Hash{String => Proc}] the same of all kinds that are wanted, at once
    def all
      Dir.mktmpdir("tasker-bench") do |folder|
        yield @wanted.to_h { |kind| [kind, -> { kind == "sqlite" ? file(folder) : database }] }
      end
    end

    private

    def file(folder)
      "sqlite://#{folder}/#{number}.sqlite3"
    end

    def database
      server = ENV.fetch("TASKER_TEST_DATABASE_URL") { raise "bin/bench starts a PostgreSQL; use that" }
      name = "bench_#{Process.pid}_#{number}"
      Bench.psql(server, "CREATE DATABASE #{name}")
      server.sub(%r{/[^/]*\z}, "/#{name}")
    end

    def number = @number = @number.to_i + 1
  end
end
