# frozen_string_literal: true

require "open3"

module Bench
  module Performance
    # A database in which 100,000 diamonds ended, one every six seconds, and a hundred wait, with the history of each.
    # It is written by the database's own command: running them would take long, and all would have ended at the same
    # time. Ids are in the order of time, before those that are made now.
    class History
      TASKS = 100_000
      STEPS = %w[a b c d].freeze

      attr_reader :handle, :waiting

      # The history in an empty database of this kind.
      def self.in(kind, url, tasks)
        { "sqlite" => SqliteHistory, "postgres" => PostgresHistory }.fetch(kind).new(url, tasks)
      end

      def initialize(url, tasks)
        @url = url
        @handle = TaskerCore.open(url)
        @handle.register(template, handlers: STEPS.to_h { |name| [name, ->(_ctx) { 1 }] })
        @waiting = @handle.create_tasks("diamond", contexts: Array.new(100) { |n| { order_id: n } })
        run(sql(tasks))
      end

      def close = @handle.close

      private

      def template
        { name: "diamond", steps: [{ name: "a" }, { name: "b", depends_on: "a" }, { name: "c", depends_on: "a" },
                                   { name: "d", depends_on: %w[b c] }] }
      end

      def run(sql)
        output, status = Open3.capture2e(*command, stdin_data: sql)
        abort "#{command.first} failed: #{output}" unless status.success?
      end
    end

    # In an SQLite file.
    class SqliteHistory < History
      private

      def command = ["sqlite3", "-batch", @url.delete_prefix("sqlite://")]

      def sql(tasks)
        <<~SQL
          BEGIN;
          INSERT INTO tasker_tasks (id, named_task_id, revision_id, created_at, started_at, finished_at, state, live, seq,
              context)
          WITH RECURSIVE numbers (n) AS (SELECT #{tasks} UNION ALL SELECT n - 1 FROM numbers WHERE n > 1)
          SELECT CAST(char(1) || printf('%015d', #{tasks} - n) AS BLOB), 1, 1, at, at + 1000000, at + 5000000,
              iif(n % 50 = 0, 'error', 'complete'), 0, 2,
              '{"order_id": 12345, "note": "as much as a small order has to say of itself"}'
          FROM (SELECT n, CAST(strftime('%s') AS INTEGER) * 1000000 - n * 6000000 AS at FROM numbers);
          INSERT INTO tasker_workflow_steps (task_id, idx, state, waiting, token, attempts, started_at, finished_at,
              settled_by, result)
          SELECT t.id, s.value, 'complete', 0, 1, 1, created_at + s.value * 1000000,
              created_at + s.value * 1000000 + 900000, zeroblob(16), '{"ok":true}'
          FROM tasker_tasks t, json_each('[0,1,2,3]') s WHERE finished_at IS NOT NULL;
          INSERT INTO tasker_task_transitions (task_id, seq, from_state, to_state, at)
          SELECT t.id, s.value, iif(s.value = 1, 'pending', 'in_progress'), iif(s.value = 1, 'in_progress', state),
              created_at + s.value * 2000000
          FROM tasker_tasks t, json_each('[1,2]') s WHERE finished_at IS NOT NULL;
          COMMIT;
        SQL
      end
    end

    # In a PostgreSQL database.
    class PostgresHistory < History
      private

      def command = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", @url]

      def sql(tasks)
        <<~SQL
          INSERT INTO tasker_tasks (id, named_task_id, revision_id, created_at, started_at, finished_at, state, rare, live,
              seq, context)
          SELECT ('01' || lpad(to_hex(#{tasks} - n), 30, '0'))::uuid, 1, 1, at, at + interval '1 second',
              at + interval '5 seconds', (CASE WHEN n % 50 = 0 THEN 'error' ELSE 'complete' END)::tasker_task_state,
              (CASE WHEN n % 50 = 0 THEN 'error' END)::tasker_task_state, 0, 2,
              '{"order_id": 12345, "note": "as much as a small order has to say of itself"}'
          FROM (SELECT n, now() - n * interval '6 seconds' AS at FROM generate_series(#{tasks}, 1, -1) AS n) AS times;
          INSERT INTO tasker_workflow_steps (task_id, idx, state, waiting, token, attempts, started_at, finished_at,
              settled_by, result)
          SELECT id, i, 'complete', 0, 1, 1, created_at + i * interval '1 second',
              created_at + i * interval '1 second' + interval '900 milliseconds',
              '00000000-0000-0000-0000-000000000000', '{"ok":true}'
          FROM tasker_tasks, generate_series(0, 3) AS i WHERE finished_at IS NOT NULL;
          INSERT INTO tasker_task_transitions (task_id, seq, from_state, to_state, at)
          SELECT id, i, ('{pending,in_progress}'::tasker_task_state[])[i],
              coalesce(('{in_progress,NULL}'::tasker_task_state[])[i], state), created_at + i * interval '2 seconds'
          FROM tasker_tasks, generate_series(1, 2) AS i WHERE finished_at IS NOT NULL;
          VACUUM ANALYZE;
        SQL
      end
    end
  end
end
