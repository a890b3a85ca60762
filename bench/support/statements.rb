# frozen_string_literal: true

require_relative "psql"

module Bench
  # What one database's clients asked of the server, as pg_stat_statements counts it. bin/bench loads that into the
  # server that it starts, where it counts nothing until this is made for a database; connections that are there before
  # aren't counted.
  class Statements
    # @param url [String] the database
    def initialize(url)
      @database = url[%r{[^/]+\z}]
      @server = ENV.fetch("TASKER_TEST_DATABASE_URL")
      Bench.psql(@server, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
      Bench.psql(@server, "ALTER DATABASE #{@database} SET pg_stat_statements.track = 'all'")
    end

    def reset = Bench.psql(@server, "SELECT pg_stat_statements_reset()")

    # How many statements were executed, those that begin and end transactions and set something for them included.
    def calls = sum("calls").to_i

    # How many that ask or change something. A transaction begins with one message, its settings in it.
    def queries = sum("calls", "%", "AND query !~ '^(BEGIN|SET LOCAL|COMMIT|ROLLBACK)'").to_i

    # Milliseconds of the server for each row that statements like this gave.
    #
    # @param like [String] a pattern of SQL's LIKE
    def per_row(like)
      rows = sum("rows", like).to_i
      raise "no statement like #{like} gave rows" if rows.zero?

      sum("total_exec_time", like).to_f / rows
    end

    # The statements executed most often, in short, and how often.
    def most(count)
      rows = Bench.psql(@server, <<~SQL)
        SELECT calls, left(regexp_replace(query, '\\s+', ' ', 'g'), 50)
        FROM #{mine} ORDER BY calls DESC LIMIT #{count}
      SQL
      rows.lines.map { |line| line.chomp.split("|", 2).then { |calls, text| [text.strip, calls.to_i] } }
    end

    private

    def sum(what, like = "%", others = "")
      Bench.psql(@server, "SELECT coalesce(sum(#{what}), 0) FROM #{mine} AND query LIKE '#{like}' #{others}")
    end

    def mine
      "pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = '#{@database}')"
    end
  end
end
