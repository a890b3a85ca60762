# frozen_string_literal: true

require_relative "job_arguments"

module TaskerCore
  # The handler of a step with `job:`, a class of ActiveJob's, which is run as `perform_now` runs it: with its
  # callbacks, `rescue_from`, `retry_on` and `discard_on`.
  #
  # @api private
  class JobStep
    # An error that ends the step, as it would end the job.
    module Final; end

    # How often a step may be tried whose job decides that itself.
    OFTEN = 10_000
    # How many of these attempts may come to an end that the job has no part in, such as that of their time.
    UNASKED = 3

    # What a job does within a step: where it enqueues itself once more, the step is tried again when the job has ended.
    # Nothing is raised for it: the job's own handlers of errors would see that.
    module WithinStep
      # @return [Hash{Symbol => Object}, nil] what it asked for last, `wait` and the like
      attr_reader :asked_again

      def retry_job(options = {})
        instrument(:enqueue_retry, options.slice(:error, :wait)) { nil }
        enqueue(options)
      end

      def enqueue(options = {})
        @asked_again = options
        self
      end
    end

    class << self
      # A step with `job:` as one with a handler.
      #
      # @param step [Hash]
      # @return [Hash]
      # @raise [ValidationError] when there is no such job, without a path
      def expand(step)
        job = EitherKey.of(step, "job")
        rest = step.reject { |key, _| %w[job arguments].include?(key.to_s) }
        handler = new(job, EitherKey.of(step, "arguments"), decides: EitherKey.of(step, "retry_limit").nil?)
        { **handler.settings(rest), **rest, handler: handler }
      end

      # @return [Hash] the step without what is said of its job
      def without(step) = step.reject { |key, _| %w[job arguments].include?(key.to_s) }
    end

    # @param job [Class, String, Symbol] the job's class, or its name
    # @param arguments [Object] see {JobArguments}
    # @param decides [Boolean] whether the job alone decides what is tried again
    def initialize(job, arguments, decides:)
      @job = job
      @decides = decides
      @arguments = JobArguments.new(arguments)
      check
    end

    # @return [Class<ActiveJob::Base>] looked up by its name each time, where that was given
    def job_class = @job.is_a?(Module) ? Handlers.current(@job) : Object.const_get(@job.to_s)

    def call(ctx)
      kept = kept_from_before(ctx)
      spent(ctx, kept) if @decides
      job = result = nil
      to_its_end do
        job = build(ctx, kept)
        result = job.perform_now
      end
      try_again(ctx, job, kept) if job.asked_again
      JobArguments.json(result)
    end

    # The same, for a test: its jobs raise this when they are performed, and make of it what they make of errors.
    #
    # @param error [Exception]
    # @return [JobStep]
    def failing(error)
      dup.tap { |step| step.instance_variable_set(:@failure, error) }
    end

    # What the job says of itself, for a step that says nothing.
    #
    # @return [Hash]
    def settings(step)
      said = ->(name) { !EitherKey.of(step, name).nil? }
      found = {}
      queue = job_class.queue_name
      found[:queue] = queue if queue.is_a?(String) && queue != "default" && !said["queue"]
      priority = job_class.priority
      found[:priority] = (-priority).clamp(-32_767, 32_767) if priority.is_a?(Integer) && !said["priority"]
      found[:retry_limit] = OFTEN if @decides && EitherKey.of(step, "retryable") != false
      found
    end

    # @return [String]
    def inspect = "#<TaskerCore::JobStep #{@job}>"

    private

    def check
      refuse("needs ActiveJob, which is not loaded") unless defined?(::ActiveJob::Base)
      require "active_support/core_ext/object/deep_dup"
      found = job_class
      refuse("is no class of ActiveJob's") unless found.is_a?(Class) && found <= ::ActiveJob::Base
    rescue NameError => e
      refuse("can't be loaded: #{e.message.lines.first.chomp}")
    end

    def refuse(why)
      raise ValidationError.at("job", "the job #{Native.shown(@job)} #{why}",
                               expected: "a class of ActiveJob's, or its name", got: Native.shown(@job))
    end

    # A step that is tried afresh still has what its last attempts left.
    def kept_from_before(ctx)
      ctx.checkpoint = nil if ctx.attempt == 1 && ctx.checkpoint
      ctx.checkpoint || {}
    end

    def spent(ctx, kept)
      return if ctx.attempt - 1 - (kept["asked"] || 0) < UNASKED

      raise PermanentError, "#{UNASKED} attempts failed that the job had no say in (a timeout, a RetryableError)"
    end

    def to_its_end
      yield
    rescue RetryableError, PermanentError, Interrupted, SignalException, NoMemoryError
      raise
    rescue Exception => e # rubocop:disable Lint/RescueException -- one that is not made yet, or a stack that is too deep
      raise unless @decides

      raise e.extend(Final)
    end

    # The job has the step's number of attempts, and the same id in each.
    def build(ctx, kept)
      job = @arguments.instantiate(job_class, ctx).extend(WithinStep)
      job.job_id = ctx.idempotency_key
      job.provider_job_id = ctx.task_id
      job.executions = ctx.attempt - 1
      job.exception_executions = { **(kept["exception_executions"] || {}) }
      failure = @failure and job.define_singleton_method(:perform) { |*, **| raise failure }
      job
    end

    # How often each kind of exception was met is the job's to know in the next attempt.
    def try_again(ctx, job, kept)
      options = job.asked_again
      ctx.checkpoint = { "asked" => (kept["asked"] || 0) + 1,
                         "exception_executions" => job.exception_executions || {} }
      error = options[:error]
      message = error ? "#{error.class}: #{error.message}" : "#{job.class} is to run again"
      raise RetryableError.new(message, retry_after: wait_of(options))
    end

    def wait_of(options)
      wait = options[:wait_until] ? options[:wait_until].to_f - Time.now.to_f : options[:wait].to_f
      [wait, 0.0].max
    end
  end
end
