# frozen_string_literal: true

require_relative "checks/endings"
require_relative "checks/results"
require_relative "checks/rows"
require_relative "journal"
require_relative "story"

module Chaos
  # What was promised, held against the journal and the database when all is over.
  class Verdict
    # What doesn't hold, by check.
    attr_reader :broken
    # What was seen: tasks, steps, attempts, and what came twice.
    attr_reader :figures

    # @param handle [TaskerCore::OrchestrationHandle]
    # @param database [SqliteDatabase, PostgresDatabase]
    # @param runs [Array<Journal::Run>]
    # @param created [Array<String>] the ids of the tasks that were asked for
    def initialize(handle, database, runs, created)
      @runs = runs.group_by(&:task)
      @figures = Hash.new(0)
      @broken = { "every task is there once" => counted(handle, created), **per_task.transform_values { [] } }
      handle.tasks.each { |task| look_at(Story.new(task, @runs.fetch(task.id, []))) }
      @broken.merge!(Checks::Rows.broken(database))
    end

    def ok? = broken.values.all?(&:empty?)

    # @return [Array<String>] one line for each check that failed: its name, how often, and the first few
    def complaints
      broken.reject { |_, found| found.empty? }.map do |check, found|
        "NOT SO: #{check} (#{found.size})\n#{found.first(5).map { |one| "  #{one[0, 1000]}" }.join("\n")}"
      end
    end

    private

    def per_task = @per_task ||= { **Checks::Endings.all, **Checks::Results.all }

    def counted(handle, created)
      there = handle.tasks.map(&:id)
      [[created - there, "are missing"], [there - created, "were not asked for"]].filter_map do |ids, what|
        "#{ids.size} #{what}: #{ids.first(3)}" if ids.any?
      end + (@runs.keys - there).first(5).map { |id| "#{id} ran and is not there" }
    end

    def look_at(story)
      per_task.each do |name, check|
        check.call(story).each { |found| @broken[name] << "#{story.task.name} #{story.task.id}: #{found}" }
      end
      count(story)
    end

    def count(story)
      { tasks: 1, tasks_in_error: story.task.error? ? 1 : 0, steps: story.steps.size, **story.figures }
        .each { |name, number| @figures[name] += number }
    end
  end
end
