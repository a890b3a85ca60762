# frozen_string_literal: true

module Bench
  module Scale
    # What claims cost on PostgreSQL when somebody has kept a snapshot open for long, such as a backup, so that nothing
    # which claims have deleted since can be cleared away; against a database in which nothing has been claimed yet. It
    # is the server's own time for the statement, as it counts it, for two hundred claimed steps.
    class OldSnapshot
      CLAIMED = 200
      CLAIM = "%DELETE FROM tasker_ready%RETURNING%"

      def initialize(fresh, quick:)
        @fresh = fresh
        @before = quick ? 400 : 80_000
        @sample = quick ? 200 : 10_000
        @rounds = quick ? 1 : 5
      end

      def report(report)
        rounds = Array.new(@rounds) { [old_claims, fresh_claims] }
        costs = rounds.transpose.map { |times| Bench.median(times) }
        report.row("postgres: a claim of 200, an old snapshot held open", costs[0].round(3), "ms")
        report.row("postgres: a claim of 200, fresh", costs[1].round(3), "ms")
        ratio = Bench.median(rounds.map { |mine, its| mine / its })
        report.row("postgres: old against fresh", ratio.round(2), "times", at_most: 1.5)
      end

      private

      Place = Struct.new(:url, :statements, :handle, :calls)
      private_constant :Place

      def open
        url = @fresh.call
        statements = Statements.new(url)
        place = Place.new(url, statements, TaskerCore.open(url), Work::Tally.new)
        Work::Shapes.register(place.handle, Work::Shapes.chain(1), place.calls.handler("nothing"))
        place
      end

      # Somebody's transaction that reads, and stays.
      def hold(url)
        psql = IO.popen(["psql", "-XqAt", url], "r+")
        psql.puts("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tasker_ready;")
        psql.gets
        psql
      end

      def run(place, count)
        (1..count).each_slice(1_000) do |numbers|
          place.handle.create_tasks("chain_1", contexts: numbers.map { |n| { "n" => n } })
        end
        place.handle.work(until: :idle, threads: 5)
        calls = place.calls.take
        raise "#{calls} calls of handlers for #{count} steps" unless calls == count
      end

      def claims(place)
        place.statements.reset
        run(place, @sample)
        place.statements.per_row(CLAIM) * CLAIMED
      end

      # Beside a snapshot of its own each time: in one database the rounds' own claims would pile up.
      def old_claims
        place = open
        snapshot = hold(place.url)
        run(place, @before)
        claims(place).tap do
          snapshot.close
          place.handle.close
        end
      end

      def fresh_claims
        place = open
        claims(place).tap { place.handle.close }
      end
    end
  end
end
