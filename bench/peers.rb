# frozen_string_literal: true

# Measures others beside ours, in turns; see BENCHMARKS.md. `bin/bench peers` compiles in release mode, starts a
# PostgreSQL and installs Redis first.
#
#   ruby -Ilib bench/peers.rb [--database sqlite|postgres|both] [--quick] [--json FILE]

require_relative "support/suite"
require_relative "work/diamonds"
require_relative "peers/dbos"
require_relative "peers/ours"
require_relative "peers/restate"
require_relative "peers/rounds"
require_relative "peers/sidekiq"

Bench::Suite.run do |report, databases, quick|
  databases.all do |fresh|
    contest = Bench::Peers::Rounds.new(report)
    fresh.each { |kind, url| contest.enter { Bench::Peers::Ours.new(kind, quick ? 50 : 10_000, url) } }
    contest.enter("Sidekiq") { Bench::Peers::Sidekiq.new(quick ? 200 : 10_000) }
    contest.enter("DBOS") do
      raise Bench::Peers::Missing, "it runs on PostgreSQL, which --database leaves out" unless fresh["postgres"]

      Bench::Peers::DBOS.new(quick ? 20 : 250, fresh["postgres"])
    end
    contest.enter("Restate") { Bench::Peers::Restate.new(quick ? 50 : 500) }
    contest.run(quick ? 1 : 5)

    contest.compare("postgres", Bench::Peers::Sidekiq::PLAIN, at_least: 1.0)
    contest.compare("postgres", Bench::Peers::DBOS::STEPS, at_least: 50)
    contest.compare("postgres", Bench::Peers::Restate::STEPS)
    contest.compare("sqlite", Bench::Peers::Sidekiq::PLAIN, at_least: 1.0)
  end
end
