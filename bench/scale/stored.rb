# frozen_string_literal: true

module Bench
  module Scale
    # What a step costs in a database that much has been done in, against one in which nothing was.
    class Stored
      def initialize(kind, fresh, quick:)
        @kind = kind
        @fresh = fresh
        @tasks = quick ? 1_000 : 1_000_000
        @diamonds = quick ? 50 : 4_000
        @rounds = quick ? 1 : 5
      end

      # What the server counted of whole reads of tables, and of entries read of the indexes that steps and tasks are
      # found by.
      READ = <<~SQL
        SELECT sum(seq_scan), (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes
            WHERE indexrelname IN ('tasker_tasks_pkey', 'tasker_workflow_steps_pkey'))
        FROM pg_stat_user_tables WHERE relname IN ('tasker_tasks', 'tasker_workflow_steps', 'tasker_task_transitions',
            'tasker_workflow_step_transitions', 'tasker_ready', 'tasker_timers')
      SQL
      private_constant :READ

      def report(report)
        url = filled
        full = Work::Diamonds.new(url)
        empty = Work::Diamonds.new(@fresh.call)
        [full, empty].each { |diamonds| time(diamonds) }
        rounds = Array.new(@rounds) { [time(full), time(empty)] }
        costs = rounds.transpose.map { |times| Bench.median(times) }
        report.row("#{@kind}: a step beside #{Bench.plain(@tasks)} finished tasks", costs[0].round(1), "µs")
        report.row("#{@kind}: a step in an empty database", costs[1].round(1), "µs")
        ratio = Bench.median(rounds.map { |mine, its| mine / its })
        report.row("#{@kind}: against an empty database", ratio.round(2), "times", at_most: 1.2)
        [full, empty].each(&:close)
        report_reads(report, url) if @kind == "postgres"
      end

      private

      # How much a session reads that creates and runs diamonds, and does nothing else.
      def report_reads(report, url)
        Bench.alone(url)
        before = Bench.psql(url, READ).split("|").map(&:to_i)
        diamonds = Work::Diamonds.new(url)
        diamonds.create(@diamonds)
        diamonds.work(@diamonds)
        diamonds.close
        Bench.alone(url)
        scans, entries = Bench.psql(url, READ).split("|").map(&:to_i).zip(before).map { |after, was| after - was }
        report.row("postgres: whole reads of tables meanwhile", scans, "scans", at_most: 0)
        per_step = entries / (@diamonds * Work::Diamonds::STEPS.to_f)
        report.row("postgres: entries of primary keys read", per_step.round(2), "a step", at_most: 10)
      end

      # The history's own waiting tasks are done before anything is measured.
      def filled
        url = @fresh.call
        history = Performance::History.in(@kind, url, @tasks)
        history.handle.work(until: :idle)
        history.close
        Bench.psql(url, "CHECKPOINT") if @kind == "postgres"
        url
      end

      # Microseconds a step.
      def time(diamonds)
        diamonds.create(@diamonds)
        diamonds.run(@diamonds) * 1e6 / (@diamonds * Work::Diamonds::STEPS)
      end
    end
  end
end
