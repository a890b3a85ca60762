# frozen_string_literal: true

module Chaos
  # What the database says of one task, and what the journal says of it.
  class Story
    attr_reader :task, :steps, :runs

    # @param task [TaskerCore::Task]
    # @param runs [Array<Journal::Run>] those of its steps
    def initialize(task, runs)
      @task = task
      @steps = task.steps
      @runs = runs
      @moves = task.history.group_by(&:step_name)
      @runs_by_step = runs.group_by(&:step)
    end

    # @return [Array<TaskerCore::Transition>] of a step; nil: of the task
    def moves(name) = @moves.fetch(name, [])

    def runs_of(name) = @runs_by_step.fetch(name, [])

    def completions(name) = moves(name).select { |move| move.to == "complete" }

    # The claims of a step, each with the transition that ended it (nil: none did).
    def holds(name)
      moves(name).each_cons(2).to_a.push([moves(name).last, nil]).select { |claim, _| claim&.to == "in_progress" }
    end

    # The results of a step's parents, as they are recorded.
    def recorded(names)
      steps.select { |step| names.include?(step.name) }.to_h { |step| [step.name, step.result] }
    end

    # How often handlers ran, of that: how often an attempt began more than once, and what was returned in vain; and how
    # often a worker lost a step.
    def figures
      results = steps.filter_map(&:result)
      { runs: runs.size, begun_again: runs.size - runs.uniq { |run| [run.step, run.attempt] }.size,
        late_results: runs.count { |run| run.value && !results.include?(run.value) },
        lost_leases: @moves.values.flatten.count { |move| Story.lost?(move) } }
    end

    # When a move was made, in microseconds.
    def self.time(move) = (move.at.to_r * 1_000_000).to_i

    # Whether a hold ended because its worker's lease did.
    def self.lost?(move) = move.error&.fetch("class", nil) == "WorkerCrashed"
  end
end
