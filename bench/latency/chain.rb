# frozen_string_literal: true

module Bench
  module Latency
    # How long one chain of four steps takes on an idle system, from `create_task` until it is seen to be complete,
    # beside the commits that it can't do without: one that creates it, one for each step.
    class Chain
      LENGTH = 4
      COMMITS = LENGTH + 1
      # Seconds between two, in which everything comes to rest.
      PAUSE = (0.02..0.05)

      def initialize(url, samples)
        @samples = samples
        @tally = Work::Tally.new
        @handle = TaskerCore.open(url)
        @template = Work::Shapes.chain(LENGTH)
        Work::Shapes.register(@handle, @template, @tally.handler("nothing"))
        @worker = @handle.worker(threads: 5).start
      end

      def report(report, kind)
        5.times { sample }
        commits, chains = Array.new(@samples) { sample }.transpose
        commit = Bench.median(commits)
        report.row("#{kind}: one bare durable commit, p50", (commit / 1e6).round(3), "ms")
        report.row("#{kind}: a chain of 4, p50", (Bench.median(chains) / 1e6).round(3), "ms")
        report.row("#{kind}: a chain of 4, p99", (Bench.quantile(chains, 0.99) / 1e6).round(3), "ms")
        { 0.5 => 1.3, 0.99 => 3 }.each do |share, most|
          ratio = Bench.quantile(chains, share) / (COMMITS * commit.to_f)
          report.row("#{kind}: p#{(share * 100).round} against 5 commits", ratio.round(2), "times", at_most: most)
        end
      end

      def close
        @worker.stop
        @handle.close
      end

      private

      # Nanoseconds of a bare commit, and of a chain.
      def sample
        sleep(rand(PAUSE))
        commit = time { TaskerCore::Waiting.await(TaskerCore::Native::Bench.commit(@handle.native)) }
        sleep(rand(PAUSE))
        task = nil
        chain = time { task = @handle.create_task(@template[:name]).wait(timeout: 30) }
        check(task)
        [commit, chain]
      end

      def time
        started = Bench.clock
        yield
        Bench.clock - started
      end

      def check(task)
        calls = @tally.take
        raise "#{calls} calls of handlers for a chain of #{LENGTH}" unless calls == LENGTH
        raise "a chain ended as #{task&.status.inspect}" unless task&.complete? && task.steps.all? { |s| s.result == 1 }
      end
    end
  end
end
