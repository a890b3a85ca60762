# frozen_string_literal: true

require_relative "../support/psql"
require_relative "../work/diamonds"

module Bench
  module Counts
    # What a busy worker asks of PostgreSQL for each step, as the server counts it: while diamonds are created, a
    # thousand a call, and while one worker process with 5 threads runs them.
    #
    # Nothing here is a time. What else the machine does still counts a little: the further the worker's threads are
    # behind, the more steps go through the queue, and the slower the server, the more share a commit. That only ever
    # adds to what a step takes at least, so the least of several rounds is told.
    #
    # The server does nothing on its own meanwhile: it runs without autovacuum, and writes no full images of pages,
    # whose number depends on when the last checkpoint was.
    class Steps
      TASKS = 2_500
      ROUNDS = 3
      COUNTED = <<~SQL
        SELECT pg_current_wal_insert_lsn() - '0/0', xact_commit,
            (SELECT coalesce(sum(n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables),
            (SELECT coalesce(sum(n_tup_upd - n_tup_hot_upd), 0) FROM pg_stat_user_tables)
        FROM pg_stat_database WHERE datname = current_database()
      SQL
      NAMES = ["WAL bytes", "commits", "dead row versions", "updates that touch indexes"].freeze
      NEEDED = { "autovacuum" => "off", "full_page_writes" => "off" }.freeze
      private_constant :COUNTED, :NEEDED

      # @param fresh [Proc] the URL of a database that nothing is in, another one each time
      # @return [Hash{String => Float}] what was counted for each step, the least of all rounds
      def self.least(fresh, tasks: TASKS, rounds: ROUNDS)
        counts = Array.new(rounds) { new(fresh.call, tasks).count }
        counts.first.keys.to_h { |name| [name, counts.map { |round| round[name] }.min] }
      end

      def initialize(url, tasks = TASKS)
        @url = url
        @tasks = tasks
        NEEDED.each do |setting, value|
          raise "the server must run with #{setting}=#{value}" unless Bench.psql(url, "SHOW #{setting}") == value
        end
      end

      # @return [Hash{String => Float}] what was counted for each step
      def count
        during { |_diamonds| nil } # makes the tables
        created = during { |diamonds| diamonds.create(@tasks) }
        ran = during { |diamonds| diamonds.work(@tasks) }
        check
        { "created" => created, "run" => ran }.flat_map do |phase, counts|
          NAMES.zip(counts).map { |name, number| ["#{phase}: #{name}", number / (@tasks * Work::Diamonds::STEPS)] }
        end.to_h
      end

      private

      # What a session of its own adds.
      def during
        before = look
        diamonds = Work::Diamonds.new(@url)
        yield diamonds
        diamonds.close
        Bench.alone(@url)
        look.zip(before).map { |after, earlier| after - earlier }
      end

      # Every diamond is complete, and its last step has what the two before it gave.
      def check
        complete = Bench.psql(@url, <<~SQL).to_i
          SELECT count(*) FROM tasker_tasks AS t JOIN tasker_workflow_steps AS s ON s.task_id = t.id AND s.idx = 3
          WHERE t.state = 'complete' AND s.state = 'complete' AND s.result::text = '2'
        SQL
        raise "#{complete} of #{@tasks} diamonds are complete" unless complete == @tasks
      end

      def look = Bench.psql(@url, COUNTED).split("|").map(&:to_f)
    end
  end
end
