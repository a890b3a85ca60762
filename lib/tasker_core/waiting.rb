# frozen_string_literal: true

require "io/wait"

module TaskerCore
  # How a Ruby thread waits for Rust: in Ruby, on a pipe. So whatever interrupts a thread (Timeout, Thread#kill,
  # Ctrl-C) interrupts this too, and a Fiber scheduler goes on with other fibers.
  #
  # @api private
  module Waiting
    # The readable end of what Rust wakes a thread with.
    class Signal
      attr_reader :native, :pid

      def initialize
        @native = Native::Signal.new
        @io = IO.for_fd(@native.fileno, "rb", autoclose: true)
        @pid = Process.pid
        # Long enough to stand outside of the heap: while Ruby compacts that (GC.auto_compact), a system call that
        # writes into a short String fails with EFAULT.
        @read = String.new(capacity: 256)
      end

      # Waits until it is raised, at most `seconds`; whether it was.
      def wait(seconds = nil)
        raised = @io.wait_readable(seconds)
        @io.read_nonblock(1, @read, exception: false) if raised
        @native.clear
        !raised.nil?
      end

      def close
        @native.close
        @io.close
      end
    end

    MOST_KEPT = 32
    private_constant :MOST_KEPT
    # Signals that nobody waits for. An Array's push and pop are atomic, and allowed in a trap, where a Mutex isn't.
    @kept = []

    module_function

    # Waits for a call and gives its value. With `limit`, nil when that many seconds are over before it is done.
    def await(call, limit: nil)
      return call.value if call.done?(nil)

      waited_for?(call, limit) ? call.value : nil
    end

    # A signal that is armed when its wait is given up may be raised at any time: it is not used again.
    def waited_for?(call, limit)
      signal = take_signal
      armed = true
      deadline = limit && (monotonic + limit)
      until call.done?(signal.native)
        left = deadline && (deadline - monotonic)
        return false if left&.negative?

        signal.wait(left)
      end
      armed = false
      true
    ensure
      armed ? give_up(call, signal) : keep(signal)
    end

    def give_up(call, signal)
      call.abandon
      signal&.close
    end

    def take_signal
      while (signal = @kept.pop)
        return signal if signal.pid == Process.pid
      end
      Signal.new
    end

    def keep(signal)
      @kept.size < MOST_KEPT ? @kept.push(signal) : signal.close
    end

    def monotonic
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    private_class_method :waited_for?, :give_up, :take_signal, :keep
  end
end
