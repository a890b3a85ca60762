# frozen_string_literal: true

require_relative "ours"
require_relative "peer"

module Bench
  module Peers
    # Has all take turns, so that whatever slows the machine down meanwhile meets all of them.
    class Rounds
      def initialize(report)
        @report = report
        @peers = []
        @rates = Hash.new { |all, name| all[name] = [] }
      end

      # @yieldreturn [Peer]
      def enter(name = nil)
        @peers << yield
      rescue Missing => e
        @report.absent(name, e.message)
      end

      # Runs so many rounds, every other one in the opposite order, and shows what came out.
      def run(count)
        @peers.each { |peer| @report.section(peer.title) }
        count.times do |round|
          (round.odd? ? @peers.reverse : @peers).each do |peer|
            peer.round.each { |name, rate| @rates[name] << rate }
          end
        end
        @report.section("Rates by round, #{count} in all: the median, the slowest and the fastest")
        @rates.sort.each { |name, rates| show(name, rates) }
        @report.section("Ours against theirs: the median of the rounds' ratios")
      ensure
        @peers.each(&:stop)
      end

      # How many times as fast ours is, of those that took part.
      def compare(kind, name, **target)
        ours = Ours.steps(kind)
        return unless @rates.key?(ours) && @rates.key?(name)

        ratio = Bench.median(@rates[ours].zip(@rates[name]).map { |mine, its| mine / its })
        @report.row("#{ours} against #{name}", ratio.round(2), "times", **target)
      end

      private

      def show(name, rates)
        unit = "#{name.split.last.sub("hand", "diamonds")}/s"
        @report.row(name, Bench.median(rates).round, unit)
        @report.row("#{name}: slowest", rates.min.round, unit)
        @report.row("#{name}: fastest", rates.max.round, unit)
      end
    end
  end
end
