# frozen_string_literal: true

# Joins what several suites wrote with --json: the rows of all, each with its suite, and the machine as it was at the
# first one's start.
#
#   ruby bench/support/join.rb FILE SUITE.json …

require "json"

target, *paths = ARGV
reports = paths.to_h { |path| [File.basename(path, ".json"), JSON.parse(File.read(path))] }
machine = reports.values.map { |report| report["machine"] }.min_by { |facts| facts["at"] }
rows = reports.flat_map { |suite, report| report["rows"].map { |row| { suite: suite, **row } } }
File.write(target, "#{JSON.pretty_generate({ machine: machine, rows: rows })}\n")
