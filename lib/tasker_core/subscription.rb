# frozen_string_literal: true

module TaskerCore
  # A block that is told what this process commits; see {OrchestrationHandle#subscribe}. It runs in a thread of its
  # own, one event at a time, and holds nothing else up: events wait for it in a queue of bounded length, and
  # what finds that full is dropped, counted and reported.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
  #   names = []
  #   subscription = handle.subscribe("task.*") { |event| names << event.name }
  #   handle.create_task("hello")
  #   handle.work(until: :idle)
  #   subscription.flush
  #   subscription.cancel
  #   names # => ["task.created", "task.in_progress", "task.complete"]
  class Subscription
    # How many events are taken from Rust at once.
    BATCH = 100
    # How long its thread trusts in being woken, in seconds.
    LOOK_AGAIN = 1.0
    private_constant :BATCH, :LOOK_AGAIN

    # @api private
    def initialize(native_handle, patterns, reporter:, capacity: nil, lasting: false, &block)
      @block = block
      @reporter = reporter
      @signal = Waiting::Signal.new
      @lock = Mutex.new
      @progress = ConditionVariable.new
      @delivered = @reported = 0
      @pid = Process.pid
      options = { patterns: patterns, capacity: capacity, lasting: lasting }
      @native = Waiting.await(native_handle.subscribe(options, @signal.native))
      @thread = Thread.new { run }
    end

    # Ends it: no further event is delivered. Waits until the block has returned, unless it is the block that calls
    # this. In a forked child, which has no such thread, it does nothing.
    #
    # @param timeout [Numeric, nil] seconds to wait at the most; nil for as long as it takes
    # @return [self]
    def cancel(timeout: 5)
      limit = Seconds.parse(timeout, "timeout")
      return self unless mine?

      @cancelled = true
      @native.cancel
      @thread.join(limit) unless inside?
      self
    end

    # Waits until every event that was committed before this call has been delivered or dropped.
    #
    # @param timeout [Numeric, nil] seconds; nil for as long as it takes
    # @return [self]
    # @raise [TimeoutError] when the time is over first
    # @raise [Error] inside the block, which would wait for itself
    def flush(timeout: 5)
      limit = Seconds.parse(timeout, "timeout")
      raise Error, "flush can't be called from inside the block: it would wait for itself" if inside?

      wait_for(@native.last_sequence, limit && (Waiting.monotonic + limit)) if mine?
      self
    end

    # @return [Boolean] whether events are still delivered, in this process: until it is cancelled, or its handle is
    #   closed and what was committed until then has been delivered
    def active?
      mine? && !@cancelled && @thread.alive?
    end

    # @return [Integer] how many events it missed: the queue was full, or the answer to their commit was lost, so
    #   that nobody knows whether they happened
    def dropped
      @native.dropped
    end

    # Changes which events are delivered.
    #
    # @api private
    # @param names [Array<String>]
    def want(names)
      @native.want(names)
    end

    # @return [String] one short line
    def inspect
      "#<TaskerCore::Subscription #{active? ? "active" : "ended"}, dropped: #{dropped}>"
    end

    private

    def mine?
      @pid == Process.pid
    end

    def inside?
      Thread.current.equal?(@thread)
    end

    def run
      Thread.current.name = "tasker-events"
      go_on until @native.ended?
    ensure
      @native.cancel
      reached(Float::INFINITY)
      @signal.close
    end

    # What a fault inside this library kept from being taken is still there the next time.
    def go_on
      last = @native.last_sequence
      events = @native.take(BATCH)
      events.each { |event| deliver(event) }
      reached(events.size < BATCH ? last : events.last.sequence)
      report_dropped
      @signal.wait(LOOK_AGAIN) if events.empty?
    rescue InternalError => e
      @reporter.log(Logger::ERROR) { "events could not be taken and will be again: #{e.message}" }
      @reporter.told(e, nil)
      @signal.wait(LOOK_AGAIN)
    end

    # What was taken before `cancel` was called is not delivered after it either.
    def deliver(event)
      @block.call(event) unless @cancelled
    rescue StandardError, ScriptError => e
      @reporter.log(Logger::WARN) { "a subscriber failed on #{event.inspect}: #{e.class}: #{e.message}" }
      @reporter.told(e, event)
    end

    def reached(sequence)
      @lock.synchronize do
        @delivered = sequence if sequence > @delivered
        @progress.broadcast
      end
    end

    def wait_for(sequence, deadline)
      @lock.synchronize do
        while @delivered < sequence
          left = deadline && (deadline - Waiting.monotonic)
          raise TimeoutError, "events were not delivered in time; is the block slow?" if left&.negative?

          @progress.wait(@lock, left)
        end
      end
    end

    def report_dropped
      missed = dropped - @reported
      return unless missed.positive?

      @reported += missed
      message = "a subscriber missed #{missed} events: it is too slow for its queue, or a connection was lost"
      @reporter.log(Logger::WARN) { message }
      @reporter.told(Error.new(message), nil)
    end
  end
end
