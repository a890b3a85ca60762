# frozen_string_literal: true

module Support
  # Waiting for what another thread or process does, without guessing how long that takes.
  module Deadlines
    # The block's value as soon as it is true; fails when it never was.
    def eventually(within: 10)
      deadline = clock + (within * Garbage::PATIENCE)
      loop do
        value = yield
        return value if value

        raise RSpec::Expectations::ExpectationNotMetError, "still not so after #{within} s" if clock > deadline

        sleep 0.01
      end
    end

    def clock
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    # How many seconds the block takes.
    def seconds
      started = clock
      yield
      clock - started
    end
  end

  # A gate that handlers stand at until the test opens it.
  class Gate
    def initialize
      @mutex = Mutex.new
      @moved = ConditionVariable.new
      @waiting = 0
      @open = false
    end

    # Stands at the gate; false when it stayed shut.
    def wait(within: 20)
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + within
      @mutex.synchronize do
        @waiting += 1
        @moved.broadcast
        until @open
          left = deadline - Process.clock_gettime(Process::CLOCK_MONOTONIC)
          break if left <= 0

          @moved.wait(@mutex, left)
        end
        @open
      ensure
        @waiting -= 1
      end
    end

    def open
      @mutex.synchronize do
        @open = true
        @moved.broadcast
      end
    end

    # How many stand at it now.
    def waiting
      @mutex.synchronize { @waiting }
    end
  end

  # What handlers did, in the order in which they did it.
  class Journal
    def initialize
      @mutex = Mutex.new
      @lines = []
    end

    def <<(line)
      @mutex.synchronize { @lines << line }
      self
    end

    def to_a
      @mutex.synchronize { @lines.dup }
    end

    def size
      to_a.size
    end

    def tally
      to_a.tally
    end
  end
end
