# frozen_string_literal: true

require "open3"
require "rbconfig"

module Bench
  module FFI
    # What a returned task keeps of memory, against the Hash that its JSON text is parsed into.
    class Memory
      COUNTS = { "5 fields" => 40_000, "25 fields" => 20_000, "500 fields" => 1_500 }.freeze
      ROUNDS = 3

      def initialize(report, quick:)
        @report = report
        @quick = quick
      end

      def run
        @report.section("Memory")
        SIZES.each_key do |size|
          typed, json = %w[task hash].map { |kind| Bench.median(Array.new(rounds) { measure(kind, size) }) }
          @report.row("memory, #{size}: a returned task", typed.round, "bytes")
          @report.row("memory, #{size}: the parsed JSON Hash", json.round, "bytes")
          @report.row("memory, #{size}: task against Hash", (typed / json).round(3), "times", at_most: 0.30)
        end
      end

      private

      def rounds = @quick ? 1 : ROUNDS

      # In a process of its own, whose memory nothing else has touched.
      def measure(kind, size)
        count = @quick ? 200 : COUNTS.fetch(size)
        command = [RbConfig.ruby, "-I#{File.expand_path("../../lib", __dir__)}", File.join(__dir__, "keep.rb")]
        output, status = Open3.capture2(*command, kind, size, count.to_s)
        raise "#{kind}, #{size}: the process that keeps them failed" unless status.success?

        Float(output)
      end
    end
  end
end
