# frozen_string_literal: true

require "json"

module Bench
  module Counts
    # The counts that the repository keeps, by which a change that makes a step dearer is seen.
    class Kept
      FILE = File.expand_path("../counts.json", __dir__)
      # How much a count may be more than the kept one.
      TOLERANCE = 1.15
      # How many steps share a commit depends on how fast the machine is, and on the build: with the same code 0.0042 to
      # 0.0061 commits a step were counted, of which 0.003 are those that open and close a session.
      COMMITS = 2

      # @return [Hash{String => Float}] the most that each may be
      def limits
        JSON.parse(File.read(FILE)).to_h do |name, count|
          [name, (count * (name.end_with?("commits") ? COMMITS : TOLERANCE)).round(4)]
        end
      end

      def write(counts)
        File.write(FILE, "#{JSON.pretty_generate(counts.transform_values { |count| count.round(4) })}\n")
      end
    end
  end
end
