# frozen_string_literal: true

require_relative "peer"

module Bench
  module Peers
    # Ours: one worker process with 5 threads and the diamonds that bench/throughput.rb runs.
    class Ours < Peer
      def self.steps(kind) = "tasker_core on #{kind}, steps"

      def initialize(kind, size, fresh)
        super(size)
        @kind = kind
        @diamonds = Work::Diamonds.new(fresh.call)
      end

      def title = "tasker_core #{TaskerCore::VERSION}, #{@kind}, 5 threads"

      def round
        @diamonds.create(@size)
        { Ours.steps(@kind) => @size * Work::Diamonds::STEPS / @diamonds.run(@size) }
      end

      def stop = @diamonds.close
    end
  end
end
