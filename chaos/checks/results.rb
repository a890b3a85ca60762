# frozen_string_literal: true

require_relative "../story"
require_relative "../workflows"

module Chaos
  module Checks
    # What was recorded, by whom, and what its children saw of it.
    module Results
      class << self
        def all
          { "results are recorded once, and right" => method(:recorded_once),
            "no late report replaced a result" => method(:fenced),
            "no step began before its parents' results" => method(:parents_first),
            "what ran is in the history" => method(:told) }
        end

        private

        # The value is that of the attempt that the history says succeeded, and a run in the journal returned it.
        def recorded_once(story)
          story.steps.filter_map do |step|
            ends = story.completions(step.name)
            fault = step.complete? ? wrong(story, step, ends) : ("has a result" unless step.result.nil? && ends.empty?)
            "#{step.name} (#{step.status}) #{fault}" if fault
          end
        end

        def wrong(story, step, ends)
          return "was completed #{ends.size} times" if ends.size != 1

          value, = step.result.to_s.split("@")
          run = run_of(story, step)
          return "has a result that no run in the journal returned: #{step.result.inspect}" unless run
          return "has the result of attempt #{run.attempt}, not #{ends[0].attempt}" if run.attempt != ends[0].attempt

          parents = story.recorded(step.depends_on)
          right = Workflows.value(story.task.id, step.name, run.attempt, parents)
          "has a result that is wrong: #{value}, not #{right}" if value != right
        end

        def run_of(story, step)
          story.runs_of(step.name).find { |run| run.value && run.value == step.result }
        end

        # The recorded run began and ended within the hold that was settled: a zombie's began before.
        def fenced(story)
          story.steps.select(&:complete?).filter_map do |step|
            run = run_of(story, step)
            claim, ended = story.holds(step.name).find { |_, move| move&.to == "complete" }
            next unless run && claim
            next if run.began_at >= Story.time(claim) && run.ended_at <= Story.time(ended)

            "#{step.name} has the result of #{run.id}, which did not run between #{claim.at} and #{ended.at}"
          end
        end

        # A run saw of every parent what is recorded, and began after that was.
        def parents_first(story)
          story.steps.flat_map do |step|
            recorded = story.recorded(step.depends_on)
            ended = step.depends_on.map { |name| story.completions(name).map { |move| Story.time(move) }.max }
            story.runs_of(step.name).filter_map { |run| early(run, recorded, ended) }
          end
        end

        def early(run, recorded, ended)
          fault = if run.parents != recorded then "saw #{run.parents}, not #{recorded}"
                  elsif ended.any? { |time| time.nil? || time > run.began_at } then "began before its parents ended"
                  end
          "#{run.step}, run #{run.id}, #{fault}" if fault
        end

        # A worker claims before a handler begins, and a claim is in the history for ever, with its attempt. A lost
        # lease or a release gives the attempt back, so that several claims, and runs, may have the same number; but a
        # claim starts a handler once at most. So of each attempt there are no more runs than claims.
        def told(story)
          story.runs.group_by { |run| [run.step, run.attempt] }.filter_map do |(step, attempt), runs|
            claims = story.holds(step).count { |claim, _| claim.attempt == attempt }
            next if runs.size <= claims

            "#{step}: #{runs.size} runs of attempt #{attempt}, and #{claims} in the history: #{runs.map(&:id)}"
          end
        end
      end
    end
  end
end
