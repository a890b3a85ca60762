# frozen_string_literal: true

module TaskerCore
  # What is raised in a handler whose step says `interrupt: true`, as soon as nothing that it returns is recorded any
  # more: its time is over, its step was moved by hand or its task cancelled (by whichever process), or its worker was
  # stopped and has waited long enough, or lost its claim. The handler's thread then goes on with other steps.
  #
  # It comes at any line of the handler, as that of `Timeout` does, and once: `ensure` runs, `rescue => e` does not see
  # it. A handler that must not be left in the middle of something holds it off there. What never comes back to Ruby,
  # such as a C function that keeps the interpreter's lock, is not interrupted.
  #
  # @example
  #   class Report < TaskerCore::Workflow
  #     step(:render, timeout: 60, interrupt: true) do |ctx|
  #       rows = ctx.context["rows"].sort
  #       Thread.handle_interrupt(TaskerCore::Interrupted => :never) do
  #         File.write("report.txt", rows.join("\n")) # whole or not at all
  #       end
  #     end
  #   end
  class Interrupted < Exception; end # rubocop:disable Lint/InheritException -- no handler is to rescue it by chance

  # Raises {Interrupted} in the handlers of one worker when Rust says so, from a thread that is made for the first
  # attempt that may need it.
  #
  # @api private
  class Interrupter
    # How long its thread trusts in being woken, in seconds.
    LOOK_AGAIN = 1.0
    private_constant :LOOK_AGAIN

    # @return [Waiting::Signal] raised when there is something to interrupt
    attr_reader :signal

    def initialize(settings)
      @settings = settings
      @signal = Waiting::Signal.new
      @lock = Mutex.new
      @running = {}
    end

    # Runs the block, and interrupts it when the attempt is taken from it. The caller holds {Interrupted} off
    # outside of the block; what comes too late for the block is dropped.
    def guard(number, native)
      @thread ||= @lock.synchronize { @thread || Thread.new { watch(native) } }
      hold_off { @running[number] = Thread.current }
      raise Interrupted, reason(number, native) if lost?(number, native)

      yield
    ensure
      hold_off { @running.delete(number) }
      drop_late
    end

    # Nothing begins any more: where there is a thread, it ends with the last attempt.
    def close
      @signal.close unless @thread
    end

    private

    # A thread that is killed while it has the lock, or waits for it, would leave the attempt behind.
    def hold_off(&)
      Thread.handle_interrupt(Object => :never) { @lock.synchronize(&) }
    end

    # It is not asked whether it is that class that is pending: Ruby 3.1 takes the exception for a class, and may crash.
    def drop_late
      Thread.handle_interrupt(Interrupted => :immediate) { Thread.pass } if Thread.pending_interrupt?
    rescue Interrupted
      nil
    end

    def watch(native)
      Thread.current.name = "tasker-interrupter"
      until native.stopped? && @running.empty?
        @signal.wait(LOOK_AGAIN)
        look(native)
      end
    ensure
      @signal.close
    end

    def look(native)
      native.take_interrupts.each do |number|
        reason = reason(number, native)
        @lock.synchronize { @running[number]&.raise(Interrupted, reason) }
      end
    rescue Error => e
      @settings.log(Logger::ERROR) { e.message }
    end

    # One that was taken from its thread before that came here was looked for in vain.
    def lost?(number, native)
      native.expired?(number) || native.taken_away?(number)
    end

    def reason(number, native)
      native.expired?(number) ? "the time of this attempt is over" : "the step was taken from its handler"
    end
  end
end
