# frozen_string_literal: true

module TaskerCore
  # Where threads of ours say what went wrong: a logger, and whom the user wants told. Neither can make them fail.
  #
  # @api private
  class Reporter
    def initialize(logger, on_error)
      @logger = logger
      @on_error = on_error
    end

    # The one of the settings of now, but for `on_error`.
    def self.current(on_error = nil)
      configuration = TaskerCore.configuration
      new(configuration.logger, on_error || configuration.on_error)
    end

    attr_reader :logger

    def log(severity, &)
      logger.add(severity, &)
    rescue StandardError => e
      Kernel.warn("tasker_core's logger failed: #{e.class}")
    end

    # Calls `on_error`; what it raises is logged and goes no further.
    def told(error, context)
      return unless @on_error

      @on_error.respond_to?(:arity) && @on_error.arity == 1 ? @on_error.call(error) : @on_error.call(error, context)
    rescue StandardError => e
      log(Logger::ERROR) { "on_error failed: #{e.class}: #{e.message}" }
    end
  end
end
