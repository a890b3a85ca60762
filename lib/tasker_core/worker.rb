# frozen_string_literal: true

module TaskerCore
  # A set of threads of this process that run steps. Rust claims steps ahead of them, watches their timeouts and
  # records what they report, many in one commit.
  #
  # One idle thread waits for news from Rust; the others wait to take its place.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
  #   worker = handle.worker(threads: 2).start
  #   handle.create_task("hello").wait(timeout: 5).status # => "complete"
  #   worker.stop(timeout: 5)
  class Worker
    # How long the waiting thread trusts in being woken, in seconds.
    LOOK_AGAIN = 1.0
    # How long stopping waits for the database beyond the time that handlers have, in seconds.
    GRACE = 5.0
    private_constant :LOOK_AGAIN, :GRACE

    # What an attempt needs to know of its worker.
    #
    # @api private
    class Settings < Reporter
      def initialize(...)
        super
        @killed = {}
      end

      # Whether this was asked for the same step before.
      def killed_before?(step_id)
        before = @killed.key?(step_id)
        @killed[step_id] = true
        before
      end
    end

    # @return [Integer] how many threads it has
    attr_reader :threads

    # @api private
    def initialize(native_handle, registry, threads:, queues:, on_error:)
      @native_handle = native_handle
      @registry = registry
      @threads = threads
      @queues = queues
      @settings = Settings.new(TaskerCore.configuration.logger, on_error)
      @leader = Mutex.new
      @starting = Mutex.new
      @pool = []
    end

    # Starts its threads.
    #
    # @return [self] at once
    # @raise [ValidationError] when an option is wrong
    # @raise [DatabaseError] when the database fails
    def start
      @starting.synchronize { start_threads unless running? }
      self
    end

    # Claims no more steps, gives the running handlers time to end, and ends the threads. A handler that takes
    # longer loses its step, which then runs again somewhere; its thread ends when the handler returns. In a handler
    # of this worker it does not wait.
    #
    # @param timeout [Numeric, nil] seconds for the handlers. Default: {Configuration#drain_timeout}, 25
    # @return [self]
    def stop(timeout: nil)
      drain = Seconds.parse(timeout || TaskerCore.configuration.drain_timeout, "timeout")
      return self unless mine?

      if @pool.include?(Thread.current)
        Thread.new { stop(timeout: drain) }
      else
        Waiting.await(@native.stop(drain), limit: drain + GRACE)
        release if @native.stopped?
        report_troubles
      end
      ProcessEnd.stopped(self)
      self
    end

    # Waits until it has been stopped and its threads have ended.
    #
    # @param timeout [Numeric, nil] seconds; nil for as long as it takes
    # @return [self, nil] nil when the time is over first
    def join(timeout = nil)
      limit = Seconds.parse(timeout, "timeout")
      deadline = limit && (Waiting.monotonic + limit)
      while (thread = @pool.find(&:alive?))
        left = deadline && [deadline - Waiting.monotonic, 0].max
        return unless thread.join(left)
      end
      self
    end

    # Claims no more steps until {#resume}: what no thread has taken goes back, what runs goes on and is recorded. A
    # worker that is not running stays as it is.
    #
    # @return [self]
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   worker = handle.worker.start
    #   worker.quiet.quiet? # => true
    #   worker.resume.quiet? # => false
    #   worker.stop
    def quiet
      @native.quiet = true if running?
      self
    end

    # Claims steps again after {#quiet}.
    #
    # @return [self]
    def resume
      @native.quiet = false if running?
      self
    end

    # @return [Boolean] whether it was told to claim nothing, and runs
    def quiet?
      running? && @native.quiet?
    end

    # @return [Boolean] whether it takes steps, in this process
    def running?
      mine? && @native.working?
    end

    # Begins to stop, as {#stop} does; what {#left} waits for.
    #
    # @api private
    def leave(drain) = @native.stop(drain)

    # Waits until it has stopped, at most `limit` seconds.
    #
    # @api private
    def left(call, limit)
      Waiting.await(call, limit: limit)
      report_troubles
    end

    # @api private
    def close_database = @native_handle.close

    # Whether it has nothing left to do in this process. A forked child must not ask its parent's.
    #
    # @api private
    def over?
      !mine? || @native.stopped?
    end

    # @return [Hash{Symbol => Integer}] `ran` and `failed`: attempts; `late`: reports that came too late;
    #   `queued`: steps claimed and waiting for a thread; `running`: steps in the hands of threads; `threads`
    def stats
      counted = @native ? @native.stats : { ran: 0, failed: 0, late: 0, queued: 0, running: 0 }
      { **counted, threads: @threads }.freeze
    end

    # What its threads are at.
    #
    # @api private
    # @return [Array<Array(Thread, StepContext)>] each with its step; nil for one that waits
    def occupation
      @pool.select(&:alive?).map { |thread| [thread, Attempt.of(thread)&.context] }
    end

    # Waits until there is nothing to do.
    #
    # @api private
    # @return [Boolean] false when the time was over first
    def until_idle(timeout)
      Waiting.await(@native.until_idle(timeout))
    end

    # @return [String] one short line
    def inspect
      "#<TaskerCore::Worker #{@native ? @native.phase : "new"}, threads: #{@threads}>"
    end

    private

    # What is still in a handler ends when that returns, and waits for no signal any more.
    def release
      @pool.reject { |thread| Attempt.busy?(thread) }.each(&:join)
      @signal.close
      @interrupter.close
    end

    # Interrupts come while it waits for the database, and not between there being a worker that claims steps and
    # there being threads that take them.
    def start_threads
      Thread.handle_interrupt(Object => :on_blocking) do
        @signal = Waiting::Signal.new
        @interrupter = Interrupter.new(@settings)
        # It claims from the moment it is there.
        look_who_listens
        @native = open_native
        @pid = Process.pid
        @pool = []
        hire
        OrchestrationHandle.transactions&.worker_started(self, @native_handle)
      end
    end

    def hire
      @threads.times { |place| spawn(place) }
      ProcessEnd.started(self)
    end

    def mine?
      !@native.nil? && @pid == Process.pid
    end

    # A worker that nobody takes steps from must not stay: an interrupted start stops it when it is there.
    def open_native
      call = @native_handle.worker({ threads: @threads, queues: @queues }, @signal.native, @interrupter.signal.native)
      native = Waiting.await(call)
    rescue Error
      call = nil
      raise
    ensure
      Thread.new { discard(call) } if call && native.nil?
    end

    def discard(call)
      Waiting.await(Waiting.await(call).stop(0.0))
    rescue Error => e
      @settings.log(Logger::WARN) { "a worker whose start was interrupted: #{e.message}" }
    end

    # Interrupts wait for a point where no step is lost: in the handler, or where the thread waits. That of a step
    # comes in its handler or not at all. A thread is of one start: what a handler holds beyond the stop is none of the
    # threads of the next.
    def spawn(place)
      native = @native
      @pool[place] = Thread.new do
        Thread.current.name = "tasker-worker-#{place + 1}"
        Thread.handle_interrupt(Object => :on_blocking, Interrupted => :never) do
          run_steps(native)
          ended = true
        rescue InternalError => e
          tell(e)
        ensure
          spawn(place) if !ended && native.equal?(@native) && running?
          ProcessEnd.stopped(self) if over?
        end
      end
    end

    # A child that a handler forked comes here when the handler returns in it, and ends.
    def run_steps(native)
      while mine? && (assignment = next_assignment(native))
        attempt_at(assignment, native).run
        report_troubles
      end
      report_troubles if mine?
    end

    def attempt_at(assignment, native)
      Attempt.new(assignment, native, @registry, @settings, @interrupter)
    end

    def next_assignment(native)
      until native.stopped?
        found = native.take || @leader.synchronize { take_or_wait(native) }
        return found if found
      end
    end

    # What came between the first look and this one was announced to nobody else.
    def take_or_wait(native)
      found = native.take
      return found if found || native.stopped?

      report_troubles
      look_who_listens
      @signal.wait(LOOK_AGAIN)
      nil
    end

    # A worker outlives its handle's ttl; who subscribes after that is not seen.
    def look_who_listens
      Notifications.refresh(@native_handle)
    rescue HandleExpiredError, HandleClosedError
      nil
    end

    def report_troubles
      native = @native
      native.troubles.each do |error, assignment|
        assignment ? attempt_at(assignment, native).breach(error) : tell(error)
      end
    end

    def tell(error)
      @settings.log(error.is_a?(InternalError) ? Logger::ERROR : Logger::WARN) { error.message }
      @settings.told(error, nil)
    end
  end
end
