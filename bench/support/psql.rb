# frozen_string_literal: true

require "open3"

module Bench
  # What a PostgreSQL server says to some SQL: rows as lines, values parted by `|`.
  def self.psql(url, sql)
    output, status = Open3.capture2e("psql", "-XqAt", "--set=ON_ERROR_STOP=1", url, stdin_data: sql)
    raise "psql: #{output}" unless status.success?

    output.strip
  end
end
