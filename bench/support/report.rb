# frozen_string_literal: true

require "json"

module Bench
  # What was measured: printed as it comes, and written as JSON at the end.
  class Report
    # A row's limit: the value is at most, or at least, that.
    Limit = Struct.new(:sign, :bound) do
      def met_by?(value) = sign == "<=" ? value <= bound : value >= bound
      def to_s = "#{sign} #{Bench.plain(bound)}"
    end

    def initialize(out: $stdout)
      @out = out
      @rows = []
    end

    def section(title)
      @out.puts "", title
    end

    # @param name [String]
    # @param value [Numeric]
    # @param unit [String]
    # @param at_most [Numeric, nil] the target
    # @param at_least [Numeric, nil] the target
    def row(name, value, unit, at_most: nil, at_least: nil)
      limit = at_most ? Limit.new("<=", at_most) : (Limit.new(">=", at_least) if at_least)
      met = limit&.met_by?(value)
      @rows << { name: name, value: value, unit: unit, target: limit&.to_s, ok: met }
      verdict = { true => "ok", false => "MISSED" }[met]
      columns = [name.ljust(58), Bench.plain(value).rjust(10), unit.ljust(8), limit.to_s.ljust(10), verdict]
      @out.puts "  #{columns.join("  ")}".rstrip
    end

    # What can't be measured here, and why.
    def absent(name, reason)
      @rows << { name: name, value: nil, unit: nil, target: nil, ok: nil, absent: reason }
      @out.puts "  #{name.ljust(58)}  not here: #{reason}"
    end

    # Rows for how long a call takes and what it allocates.
    def call(name, result)
      row("#{name}: time", result.median.round(1), "ns")
      row("#{name}: p99", result.p99.round(1), "ns")
      row("#{name}: allocations", result.allocations, "objects")
    end

    def missed = @rows.select { |row| row[:ok] == false }

    def write(path, machine)
      File.write(path, "#{JSON.pretty_generate({ machine: machine, rows: @rows })}\n")
    end
  end

  # A number as people read it: 12,345 or 0.042.
  def self.plain(number)
    return number.round.to_s.reverse.scan(/\d{1,3}/).join(",").reverse if number.is_a?(Integer) || number >= 1_000

    format(number < 10 ? "%.3g" : "%.1f", number)
  end
end
