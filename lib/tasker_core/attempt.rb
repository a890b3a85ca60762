# frozen_string_literal: true

module TaskerCore
  # One try of a step: calls the handler and reports what came of it, whatever that is.
  #
  # @api private
  class Attempt
    MOST_LINES = 20
    MOST_CHARACTERS = 10_000
    # The lines of a backtrace from here on are the worker's own, below the handler's.
    OWN = "#{__dir__}/".freeze
    private_constant :MOST_LINES, :MOST_CHARACTERS, :OWN

    # Whether the current thread is in a handler.
    def self.current?
      !Thread.current.thread_variable_get(:tasker_core_attempt).nil?
    end

    # Whether that thread is in a handler.
    def self.busy?(thread) = !of(thread).nil?

    # What that thread is at.
    def self.of(thread) = thread.thread_variable_get(:tasker_core_attempt)

    # Whether no other attempt can cure this error, however many are left.
    def self.permanent?(error)
      case error
      when PermanentError, JobStep::Final then true
      when DatabaseError then !error.retryable?
      else false
      end
    end

    # @return [StepContext]
    attr_reader :context

    def initialize(assignment, native_worker, registry, settings, interrupter)
      @assignment = assignment
      @native_worker = native_worker
      @registry = registry
      @settings = settings
      @interrupter = interrupter
      @context = StepContext.new(assignment, native_worker, settings.logger)
      @pid = Process.pid
    end

    # Interrupts reach the handler and nothing else. When the thread is killed in it, the step is given back; when
    # that happens again, the attempt has failed: the handler may be the one that does it.
    def run
      Thread.current.thread_variable_set(:tasker_core_attempt, self)
      result = perform
      succeed(result) unless elsewhere?
    rescue Exception => e # rubocop:disable Lint/RescueException -- exit and the like fail their attempt only
      raise if elsewhere?

      fail_with(e) unless @reported || interrupted?(e)
    ensure
      give_back unless @reported || elsewhere?
      Thread.current.thread_variable_set(:tasker_core_attempt, nil)
    end

    # Tells that its result was not what the step's output schema asks for. That is found, and recorded, when its thread
    # has gone on.
    #
    # @param error [ValidationError]
    def breach(error)
      tell(InvalidOutput.new(error.message, faults: error.faults), true)
    end

    private

    def perform
      hooks = TaskerCore.configuration.attempt_hooks
      return Notifications.perform(@context) { call_handler } if hooks.empty?

      AttemptHooks.new(hooks, @context).around { Notifications.perform(@context) { call_handler } }
    end

    def call_handler
      return @interrupter.guard(@assignment.number, @native_worker) { call_at_once } if @assignment.interrupt?

      call_at_once
    end

    def call_at_once
      Thread.handle_interrupt(Object => :immediate) do
        next limit_key.call(@context) if @assignment.key?

        @assignment.list? ? Lists.make(list, @context) : handler.call(@context)
      end
    end

    # Whether the handler was ended because there is nothing to report any more.
    def interrupted?(error)
      ours = Interrupted === error # rubocop:disable Style/CaseEquality -- an exception's own methods may do anything
      return false unless ours && @native_worker.came_back(@assignment.number)

      @settings.log(Logger::WARN) { "#{@context.step_id}: interrupted, #{error.message}: #{backtrace_of(error).first}" }
      @reported = true
    end

    # Whether this is a child that the handler forked: the step is its parent's.
    def elsewhere?
      Process.pid != @pid
    end

    def handler
      found = @registry.find(template_key, @assignment.definition_name) || @assignment.handler
      found ? Handlers.resolve(found) : missing("handler")
    end

    def list
      @registry.list(template_key, @assignment.definition_name) || missing("list")
    end

    def limit_key
      @registry.limit_key(template_key, @assignment.definition_name) || missing("limit key")
    end

    def template_key
      [@assignment.namespace, @assignment.task_name, @assignment.version]
    end

    def missing(kind)
      name = @assignment.definition_name
      raise NotFoundError.new("the step #{name.inspect} has no #{kind} in this process", kind: kind, name: name)
    end

    def give_back
      if @settings.killed_before?(@context.step_id)
        report(Error.new("the handler's thread was ended while it ran, more than once"), false)
      else
        @native_worker.release(@assignment.number)
      end
    end

    def succeed(result)
      @native_worker.succeed(@assignment, result)
      @reported = true
    rescue ValidationError => e
      fail_with(e, permanent: true)
    end

    def fail_with(error, permanent: Attempt.permanent?(error))
      report(error, permanent)
      @reported = true
      tell(error, permanent)
    end

    def report(error, permanent)
      failure = { class: class_of(error), message: message_of(error), backtrace: backtrace_of(error),
                  permanent: permanent, **details(error) }
      begin
        @native_worker.fail(@assignment.number, failure)
      rescue ValidationError => e
        # What can't be stored must not keep the failure itself from being recorded.
        note = "#{failure[:message]} (its context was not stored: #{e.message})"
        @native_worker.fail(@assignment.number, { **failure.except(:context, :error_code), message: note })
      end
    end

    def details(error)
      case error
      when RetryableError then { retry_after: error.retry_after, context: error.context }
      when PermanentError then { error_code: error.error_code, context: error.context }
      else {}
      end
    end

    # An exception's own methods may do anything, and none of it may keep the failure from being recorded.
    def class_of(error)
      clean(error.class.name || "an anonymous class")
    rescue Exception # rubocop:disable Lint/RescueException -- see above
      "a class that could not be named"
    end

    def message_of(error)
      clean(error.message)
    rescue Exception => e # rubocop:disable Lint/RescueException -- see above
      "its message could not be made: #{e.class}"
    end

    def backtrace_of(error)
      lines = error.backtrace || []
      handlers = lines.reject { |line| line.start_with?(OWN) }
      (handlers.empty? ? lines : handlers).first(MOST_LINES).map { |line| clean(line) }
    rescue Exception # rubocop:disable Lint/RescueException -- see above
      []
    end

    def clean(text)
      text.to_s.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub[0, MOST_CHARACTERS]
    end

    def tell(error, permanent)
      final = permanent || @context.last_attempt?
      @settings.log(final ? Logger::WARN : Logger::INFO) do
        "#{@context.step_id}: attempt #{@context.attempt} of #{@context.retry_limit} failed: " \
          "#{class_of(error)}: #{message_of(error)}"
      end
      @settings.told(error, @context)
    end
  end
end
