# frozen_string_literal: true

module Support
  # As little of a Fiber scheduler as it takes: fibers that wait for an IO object, sleep, or wait to be unblocked.
  class FiberScheduler
    def initialize
      @readable = {}
      @sleeping = {}
      @blocked = {}
      @woken = Queue.new
      @urgent, @wake = IO.pipe
    end

    # Runs the block with this scheduler set, until all fibers have ended; what the fibers gave, in order.
    def self.run(&block)
      Thread.new do
        Fiber.set_scheduler(new)
        block.call
      end.join
    end

    def fiber(&)
      Fiber.new(blocking: false, &).tap(&:resume)
    end

    def io_wait(io, events, timeout)
      @readable[Fiber.current] = io
      @sleeping[Fiber.current] = now + timeout if timeout
      Fiber.yield ? events : false
    ensure
      forget(Fiber.current)
    end

    def kernel_sleep(duration = nil)
      block(:sleep, duration)
    end

    def block(_blocker, timeout = nil)
      @blocked[Fiber.current] = true
      @sleeping[Fiber.current] = now + timeout if timeout
      Fiber.yield
    ensure
      forget(Fiber.current)
    end

    # Any thread may call this.
    def unblock(_blocker, fiber)
      @woken << fiber
      @wake.write_nonblock(".", exception: false)
    end

    # Makes Timeout.timeout interrupt the fiber, and not its thread.
    def timeout_after(duration, error, message)
      fiber = Fiber.current
      watching = fiber do
        kernel_sleep(duration)
        fiber.raise(error, message)
      end
      yield duration
    ensure
      forget(watching)
    end

    def close
      run
    ensure
      [@urgent, @wake].each(&:close)
    end

    def run
      turn until @readable.empty? && @sleeping.empty? && @blocked.empty? && @woken.empty?
    end

    private

    def turn
      readable, = IO.select([@urgent, *@readable.values], nil, nil, pause)
      @urgent.read_nonblock(1_000, exception: false) if readable&.include?(@urgent)
      ready = @readable.select { |_, io| readable&.include?(io) }.keys
      due = @sleeping.select { |_, at| at <= now }.keys - ready
      woken = Array.new(@woken.size) { @woken.pop(true) } - ready - due
      ready.each { |fiber| fiber.resume(true) if fiber.alive? }
      [*due, *woken].each { |fiber| fiber.resume(false) if fiber.alive? }
    end

    # How long nothing needs to happen.
    def pause
      return 0 unless @woken.empty?

      next_at = @sleeping.values.min
      next_at && [next_at - now, 0].max
    end

    def forget(fiber)
      [@readable, @sleeping, @blocked].each { |waiting| waiting.delete(fiber) }
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
