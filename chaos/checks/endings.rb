# frozen_string_literal: true

require_relative "../story"
require_relative "../workflows"

module Chaos
  module Checks
    # How tasks and steps ended, and whether their histories lead there.
    module Endings
      # After so many lost leases a step ends in error: it may be what kills its workers.
      CRASHES = 5

      class << self
        def all
          { "every task ended" => method(:ended), "errors used up their budgets" => method(:errors),
            "histories lead to the states" => method(:histories), "attempts are counted" => method(:attempts) }
        end

        private

        def ended(story)
          states = story.steps.map(&:status)
          case story.task.status
          when "complete" then states.all?("complete") ? [] : ["is complete with steps that are #{states.tally}"]
          when "error" then states.include?("error") ? [] : ["is in error with no step that is"]
          else ["is #{story.task.status}, with steps that are #{states.tally}"]
          end
        end

        # No handler fails for good. Crashes are a budget of their own, and so is what outages broke.
        def errors(story)
          story.steps.select(&:error?).filter_map do |step|
            endings = story.holds(step.name).filter_map(&:last)
            lost = endings.count { |move| Story.lost?(move) }
            failed = endings.count { |move| !Story.lost?(move) && %w[waiting_for_retry error].include?(move.to) }
            next if lost == CRASHES || failed == Workflows::RETRY_LIMIT

            "#{step.name} is in error after #{lost} crashes and #{failed} failures: #{step.error}"
          end
        end

        def histories(story)
          [[nil, story.task.status], *story.steps.map { |step| [step.name, step.status] }].filter_map do |name, state|
            moves = story.moves(name)
            torn = moves.each_cons(2).find { |before, after| before.to != after.from }
            next "#{name || "its history"}: #{torn.map(&:inspect).join(" is followed by ")}" if torn

            "#{name || "the task"} is #{state}, its history ends with #{moves.last.inspect}" if moves.last&.to != state
          end
        end

        # What counts is what came to an end of its own: lost leases and releases (both lead back to pending) give the
        # attempt back, and so does the crash that ends a step.
        def attempts(story)
          story.steps.filter_map do |step|
            counted = story.holds(step.name).count { |_, ended| ended && ended.to != "pending" && !Story.lost?(ended) }
            "#{step.name} has #{step.attempts} attempts, its history #{counted}" if step.attempts != counted
          end
        end
      end
    end
  end
end
