# frozen_string_literal: true

module Bench
  # Times subjects side by side, in the processor's time, so that what else runs on the machine counts little. They
  # take turns, round by round, so that whatever slows the machine down meanwhile meets all of them; a comparison is of
  # neighbours in a round, and the median of the rounds.
  class Timing
    # How long things take. The short form shows only that everything runs.
    Effort = Struct.new(:rounds, :slice, :batch, :warm_up, keyword_init: true)
    FULL = Effort.new(rounds: 25, slice: 0.02, batch: 0.0001, warm_up: 0.05).freeze
    QUICK = Effort.new(rounds: 2, slice: 0.001, batch: 0.00005, warm_up: 0.001).freeze

    # What came out for one subject: nanoseconds a call, and objects allocated a call.
    class Result
      attr_reader :rounds, :allocations

      def initialize(rounds, batches, allocations)
        @rounds = rounds
        @batches = batches
        @allocations = allocations
      end

      # The median of the rounds' means; the garbage collector's share is in it.
      def median = Bench.median(@rounds)

      # Of the batches: single calls are shorter than the clock is sharp.
      def p99 = Bench.quantile(@batches, 0.99)

      # How many times as long as `other`, round against round.
      def ratio(other) = Bench.median(@rounds.zip(other.rounds).map { |mine, its| mine / its })
    end

    def initialize(effort)
      @effort = effort
    end

    # @param subjects [Array<Subject>]
    # @return [Array<Result>]
    def compare(*subjects)
      sizes = subjects.map { |subject| batch_size(subject) }
      rounds = subjects.map { [] }
      batches = subjects.map { [] }
      @effort.rounds.times do |round|
        order = subjects.each_index.to_a
        order.reverse! if round.odd?
        order.each { |index| rounds[index] << slice(subjects[index], sizes[index], batches[index]) }
      end
      subjects.each_index.map { |i| Result.new(rounds[i], batches[i], allocations(subjects[i])) }
    end

    private

    # One turn: nanoseconds a call. What others left for the garbage collector is swept before.
    def slice(subject, size, batches)
      GC.start
      spent = 0
      calls = 0
      while spent < @effort.slice * 1e9
        started = Bench.cpu_clock
        ran = subject.run(size)
        took = Bench.cpu_clock - started
        batches << (took.to_f / ran)
        spent += took
        calls += ran
      end
      spent.to_f / calls
    end

    # Warms the subject up; how many of its calls make a batch.
    def batch_size(subject)
      calls = 1
      deadline = Bench.cpu_clock + (@effort.warm_up * 1e9)
      loop do
        started = Bench.cpu_clock
        ran = subject.run(calls)
        took = Bench.cpu_clock - started
        calls *= 2 if took < @effort.batch * 1e9
        return ran if Bench.cpu_clock > deadline && took >= @effort.batch * 1e9 / 2
      end
    end

    def allocations(subject)
      GC.disable
      before = GC.stat(:total_allocated_objects)
      ran = subject.run(1_000)
      ((GC.stat(:total_allocated_objects) - before).to_f / ran).round(1)
    ensure
      GC.enable
    end
  end

  class << self
    # Nanoseconds of a clock that only goes forward.
    def clock = Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)

    # Nanoseconds that the processor spent on this thread.
    def cpu_clock = Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID, :nanosecond)

    def median(values) = quantile(values, 0.5)

    # The value that this share of them doesn't exceed.
    def quantile(values, share) = values.sort[(values.size * share).floor.clamp(0, values.size - 1)]
  end
end
