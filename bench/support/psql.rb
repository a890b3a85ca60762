# frozen_string_literal: true

require "open3"
require_relative "timing"

module Bench
  class << self
    # What a PostgreSQL server says to some SQL: rows as lines, values parted by `|`.
    def psql(url, sql)
      output, status = Open3.capture2e("psql", "-XqAt", "--set=ON_ERROR_STOP=1", url, stdin_data: sql)
      raise "psql: #{output}" unless status.success?

      output.strip
    end

    # Waits until nobody is connected to a database any more: what connections did is counted when they end, if not
    # before.
    def alone(url)
      others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
      deadline = clock + (30 * 1e9)
      until psql(url, others) == "0"
        raise "connections stay open" if clock > deadline

        sleep 0.05
      end
    end
  end
end
