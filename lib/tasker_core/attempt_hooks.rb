# frozen_string_literal: true

module TaskerCore
  # What {Configuration#around_attempt} was given, around one attempt.
  #
  # @api private
  class AttemptHooks
    # @param hooks [Array<#call>] from the outermost on
    # @param context [StepContext]
    def initialize(hooks, context)
      @hooks = hooks
      @context = context
    end

    # @yieldreturn [Object] what the handler returned
    # @return [Object] the same
    # @raise [Exception] what the handler raised, whatever hooks made of that; else what a hook raised
    def around(&handler)
      enter(0, handler)
      raise @failure if @failure

      @returned
    rescue Exception # rubocop:disable Lint/RescueException -- the handler's own comes first
      raise @failure if @failure

      raise
    end

    private

    def enter(place, handler)
      hook = @hooks[place] or return attempt(handler)

      hook.call(@context, -> { enter(place + 1, handler) })
      raise Error, "#{shown(hook)} returned without calling the attempt" unless @attempted
    end

    def attempt(handler)
      raise Error, "an attempt can be called once" if @attempted

      @attempted = true
      @returned = handler.call
    rescue Exception => e # rubocop:disable Lint/RescueException -- whatever it is, it goes on
      @failure = e
      raise
    end

    def shown(hook)
      path, line = hook.respond_to?(:source_location) ? hook.source_location : nil
      path ? "the around_attempt hook of #{path}:#{line}" : "an around_attempt hook"
    end
  end
end
