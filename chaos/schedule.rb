# frozen_string_literal: true

require "json"

module Chaos
  # The faults of a run: when, what, to whom. A seed draws the same ones; a file has them as JSON, one a line.
  module Schedule
    # How many seconds a fault of a kind goes on, at least and at most. A worker that stands still for so long has lost
    # its lease.
    STOP = (1.5..3.0)
    HOLD = (0.5..1.5)

    class << self
      # @param kind [String] `sqlite` or `postgres`
      # @return [Array<Hash{String => Object}>] by time
      def draw(seed, kind, kills:, seconds:, workers:)
        random = Random.new(seed)
        faults = [["kill", kills], *others(kind, kills, seconds)].flat_map do |name, count|
          Array.new(count) { fault(name, random, seconds, workers) }
        end
        faults.sort_by { |fault| fault["at"] }
      end

      def read(path)
        File.readlines(path, chomp: true).map { |line| JSON.parse(line) }
      end

      def write(path, faults)
        File.write(path, faults.map { |fault| "#{JSON.generate(fault)}\n" }.join)
      end

      private

      def others(kind, kills, seconds)
        stops = ["stop", (kills / 6.0).ceil]
        return [stops, ["lock", (seconds / 6.0).ceil]] if kind == "sqlite"

        [stops, ["restart", (seconds / 12.0).ceil], ["cut", (kills / 5.0).ceil], ["fill", (seconds / 15.0).ceil]]
      end

      def fault(name, random, seconds, workers)
        drawn = { "at" => (random.rand * seconds).round(3), "fault" => name }
        case name
        when "kill" then { **drawn, "worker" => random.rand(workers) }
        when "stop" then { **drawn, "worker" => random.rand(workers), "seconds" => random.rand(STOP).round(3) }
        when "cut" then { **drawn, "connections" => random.rand(1..5) }
        when "restart" then drawn
        else { **drawn, "seconds" => random.rand(HOLD).round(3) }
        end
      end
    end
  end
end
