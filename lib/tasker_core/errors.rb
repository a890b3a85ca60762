# frozen_string_literal: true

module TaskerCore
  # What every error of this library is.
  class Error < StandardError; end

  # A URL, an option or a file can't be used.
  class ConfigurationError < Error; end

  # An input is wrong; nothing was changed.
  #
  # @example
  #   begin
  #     TaskerCore.open("sqlite::memory:").create_task("none", contxt: {})
  #   rescue TaskerCore::ValidationError => e
  #     e.faults.first[:path] # => "contxt"
  #   end
  class ValidationError < Error
    # @return [Array<Hash>] what is wrong, each with `:path` (`"steps[2].depends_on"`, empty for the whole),
    #   `:message`, `:expected` and `:got` (each a String or nil); frozen
    attr_reader :faults

    # @param message [String, nil]
    # @param faults [Array<Hash>, nil] where they are left out, the message is the only one
    def initialize(message = nil, faults: nil)
      super(message || faults&.map { |fault| ValidationError.sentence(fault) }&.join("; "))
      @faults = faults || [{ path: "", message: self.message, expected: nil, got: nil }.freeze].freeze
    end

    # @return [String] where the first fault is
    def path = faults.first[:path]

    # @return [String, nil] what was expected there
    def expected = faults.first[:expected]

    # @return [String, nil] what was found there
    def got = faults.first[:got]

    # @!visibility private
    def self.fault(path, message, expected: nil, got: nil)
      { path: path, message: message, expected: expected, got: got }.freeze
    end

    # @!visibility private
    def self.at(path, message, expected: nil, got: nil)
      new(faults: [fault(path, message, expected: expected, got: got)].freeze)
    end

    # @!visibility private
    def self.sentence(fault)
      fault[:path].empty? ? fault[:message] : "#{fault[:path]}: #{fault[:message]}"
    end
  end

  # What was asked for does not exist.
  class NotFoundError < Error; end

  # The key belongs to another task.
  class DuplicateTaskError < Error
    # @return [String, nil] the id of the task that has the key
    attr_reader :existing_id

    def initialize(message = nil, existing_id: nil)
      super(message)
      @existing_id = existing_id
    end
  end

  # The state of a task or step does not allow what was asked.
  class StateTransitionError < Error
    # @return [Array<String>] the states in which it is allowed
    attr_reader :allowed

    def initialize(message = nil, allowed: [])
      super(message)
      @allowed = allowed
    end
  end

  # The handle outlived its ttl; {OrchestrationHandle#refresh} gives a new one.
  class HandleExpiredError < Error; end

  # The handle was closed.
  class HandleClosedError < Error; end

  # The database failed.
  class DatabaseError < Error
    def initialize(message = nil, retryable: false)
      super(message)
      @retryable = retryable
    end

    # @return [Boolean] whether the same call may succeed later
    def retryable? = @retryable
  end

  # Every connection of the pool stayed busy; the same call may succeed later.
  class PoolTimeoutError < DatabaseError
    def initialize(message = nil, retryable: true)
      super
    end
  end

  # A wait came to its end without what it waited for.
  class TimeoutError < Error; end

  # A fault of this library; please report it.
  class InternalError < Error; end

  # For handlers to raise: another attempt may cure it.
  #
  # @example
  #   class Charge < TaskerCore::StepHandler
  #     def call(_ctx)
  #       raise TaskerCore::RetryableError.new("gateway busy", retry_after: 30)
  #     end
  #   end
  class RetryableError < Error
    # @return [Float, nil] seconds until the next attempt; it wins over the step's backoff
    attr_reader :retry_after
    # @return [Object, nil] a JSON value that is stored with the error
    attr_reader :context

    # @param message [String, nil]
    # @param retry_after [Numeric, nil] seconds
    # @param context [Object, nil] a JSON value
    def initialize(message = nil, retry_after: nil, context: nil)
      super(message)
      @retry_after = Seconds.parse(retry_after, "retry_after")
      @context = context
    end
  end

  # For handlers to raise: no further attempt can cure it.
  class PermanentError < Error
    # @return [String, nil] a word for programs
    attr_reader :error_code
    # @return [Object, nil] a JSON value that is stored with the error
    attr_reader :context

    # @param message [String, nil]
    # @param error_code [String, Symbol, nil] a word for programs, such as "declined"
    # @param context [Object, nil] a JSON value
    def initialize(message = nil, error_code: nil, context: nil)
      super(message)
      @error_code = error_code&.to_s
      @context = context
    end
  end
end
