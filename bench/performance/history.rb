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

    # In a PostgreSQL database. Rows are inserted as they are before anything happens and then updated, as the engine
    # does it: rows that were inserted in their final size would leave room in each page for a smaller one, and what is
    # created later would be strewn over all of them.
    class PostgresHistory < History
      private

      def command = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", @url]

      def sql(tasks)
        <<~SQL
          INSERT INTO tasker_tasks (id, named_task_id, revision_id, created_at, state, live, context)
          SELECT ('01' || lpad(to_hex(#{tasks} - n), 30, '0'))::uuid, 1, 1, now() - n * interval '6 seconds', 'pending',
              1, '{"order_id": 12345, "note": "as much as a small order has to say of itself"}'
          FROM generate_series(#{tasks}, 1, -1) AS n;
          INSERT INTO tasker_workflow_steps (task_id, idx, state, waiting)
          SELECT id, i, 'pending', 0 FROM tasker_tasks, generate_series(0, 3) AS i WHERE #{of_history};
          UPDATE tasker_workflow_steps AS s
          SET state = 'complete', token = 1, attempts = 1, settled_by = '00000000-0000-0000-0000-000000000000',
              started_at = created_at + idx * interval '1 second', result = '{"ok":true}',
              finished_at = created_at + idx * interval '1 second' + interval '900 milliseconds'
          FROM tasker_tasks WHERE id = task_id AND #{of_history};
          UPDATE tasker_tasks
          SET started_at = created_at + interval '1 second', finished_at = created_at + interval '5 seconds',
              state = (CASE WHEN #{fiftieth} THEN 'error' ELSE 'complete' END)::tasker_task_state,
              rare = (CASE WHEN #{fiftieth} THEN 'error' END)::tasker_task_state, live = 0, seq = 2
          WHERE #{of_history};
          INSERT INTO tasker_task_transitions (task_id, seq, from_state, to_state, at)
          SELECT id, i, ('{pending,in_progress}'::tasker_task_state[])[i],
              coalesce(('{in_progress,NULL}'::tasker_task_state[])[i], state), created_at + i * interval '2 seconds'
          FROM tasker_tasks, generate_series(1, 2) AS i WHERE finished_at IS NOT NULL;
          VACUUM ANALYZE;
        SQL
      end

      # Ids that are made now begin with the time.
      def of_history = "id < '01000000-ffff-ffff-ffff-ffffffffffff'"

      def fiftieth = "('x' || right(id::text, 6))::bit(24)::int % 50 = 0"
    end
  end
end
