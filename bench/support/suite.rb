# frozen_string_literal: true

require "json"
require "optparse"
require "tasker_core"
require_relative "databases"
require_relative "machine"
require_relative "report"
require_relative "timing"

module Bench
  # What every suite over databases needs and does: reads its options, says where it runs, and judges its rows.
  module Suite
    # @yieldparam report [Report]
    # @yieldparam databases [Databases]
    # @yieldparam quick [Boolean]
    def self.run
      options = parse
      machine = Machine.describe
      machine.each { |key, value| puts "#{key}: #{value}" }
      report = Report.new
      yield report, Databases.new(options[:database]), options[:quick]
      report.write(options[:json], machine) if options[:json]
      missed = report.missed
      puts "", missed.empty? ? "Every target is met." : "Missed: #{missed.map { |row| row[:name] }.join("; ")}"
      exit(missed.empty? || options[:quick])
    end

    def self.parse
      options = { quick: false, database: "both" }
      OptionParser.new do |parser|
        parser.on("--quick", "Show only that everything runs: figures mean nothing, targets are not judged") do
          options[:quick] = true
        end
        parser.on("--database KIND", [*Databases::KINDS, "both"], "sqlite, postgres or both (default)") do |kind|
          options[:database] = kind
        end
        parser.on("--json FILE", "Write the rows and the machine there, too") { |path| options[:json] = path }
      end.parse!
      options
    end
    private_class_method :parse
  end
end
