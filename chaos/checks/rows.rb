# frozen_string_literal: true

module Chaos
  module Checks
    # What the tables have to say when all tasks have ended. `ID` stands for a task's id, as this database shows it.
    module Rows
      UNFINISHED = "('pending', 'waiting_for_retry')"
      DONE = "('complete', 'skipped', 'resolved_manually')"

      ALL = {
        "nothing is left in the queue" => <<~SQL,
          SELECT 'ready', ID(task_id), idx FROM tasker_ready
          UNION ALL SELECT 'timer', ID(task_id), idx FROM tasker_timers
          UNION ALL SELECT 'parked', ID(task_id), idx FROM tasker_parked
        SQL
        "steps count their unfinished parents" => <<~SQL,
          SELECT ID(s.task_id), s.idx, s.waiting FROM tasker_workflow_steps s
          WHERE s.state IN #{UNFINISHED} AND s.waiting <> (
            SELECT count(*) FROM tasker_workflow_step_edges e
            JOIN tasker_workflow_steps p ON p.task_id = e.task_id AND p.idx = e.from_index
            WHERE e.task_id = s.task_id AND e.to_index = s.idx AND p.state NOT IN #{DONE})
        SQL
        "tasks count their steps" => <<~SQL,
          SELECT ID(t.id), t.state, t.live, t.failed FROM tasker_tasks t
          WHERE t.live <> 0 OR t.finished_at IS NULL OR (t.failed > 0) <> (t.state = 'error') OR t.failed <> (
            SELECT count(*) FROM tasker_workflow_steps s WHERE s.task_id = t.id AND s.state = 'error')
        SQL
        # A token grows with each move; two results for one would share a place, or leave one empty.
        "every move of a step has its place in the history" => <<~SQL
          SELECT ID(s.task_id), s.idx, s.token FROM tasker_workflow_steps s
          WHERE s.token <> (CASE WHEN s.settled_by IS NULL THEN 0 ELSE 1 END) + (
            SELECT count(*) FROM tasker_workflow_step_transitions m
            WHERE m.task_id = s.task_id AND m.idx = s.idx AND m.seq > 0 AND m.seq % 2 = 0)
        SQL
      }.freeze

      # @param database [#query] with the constant TASK
      # @return [Hash{String => Array<String>}] by check, what doesn't hold
      def self.broken(database)
        ALL.transform_values do |sql|
          shown = sql.gsub(/ID\(([a-z_.]+)\)/) { database.class::TASK.sub("%s", Regexp.last_match(1)) }
          database.query(shown).map { |row| row.join(" ") }
        end
      end
    end
  end
end
