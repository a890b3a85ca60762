# frozen_string_literal: true

require "json"
require_relative "../journal"

module Chaos
  module Scenes
    # What a subscriber was told, written down event by event, and held against the history.
    class Told
      # @param folder [String]
      def initialize(folder)
        @file = File.new("#{folder}/told-#{Process.pid}-#{Journal.now}.jsonl", "a")
      end

      def add(event)
        line = { task: event.task_id, step: event.step_name, from: event.from, to: event.to, attempt: event.attempt }
        @file.syswrite("#{JSON.generate(line)}\n")
      end

      # Nothing is told that is not in the history, nothing twice, and nothing out of order.
      #
      # @param folder [String]
      # @yieldparam id [String] a task's
      # @yieldreturn [Array<TaskerCore::Transition>] its history
      # @return [Array<String>] what doesn't hold
      def self.broken(folder)
        Dir["#{folder}/told-*.jsonl"].flat_map do |path|
          read(path).filter_map do |(task, step), events|
            history = yield(task).select { |move| move.step_name == step }
            rest = history.map { |move| [move.from, move.to, move.attempt] }.each
            odd = events.find { |event| !come_to(rest, event) }
            "#{task}: #{step || "the task"} was told as #{odd}, not in the order of #{rest.to_a}" if odd
          end
        end
      end

      def self.come_to(moves, event)
        loop { return true if moves.next == event }
        false
      end
      private_class_method :come_to

      def self.read(path)
        told = Hash.new { |all, key| all[key] = [] }
        File.foreach(path) do |line|
          next unless line.end_with?("\n")

          task, step, *move = JSON.parse(line).values_at("task", "step", "from", "to", "attempt")
          told[[task, step]] << move
        end
        told
      end
      private_class_method :read
    end
  end
end
