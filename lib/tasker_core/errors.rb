# frozen_string_literal: true

module TaskerCore
  # What every error of this library is.
  class Error < StandardError; end

  # A URL, an option or a file can't be used.
  class ConfigurationError < Error; end

  # A task was to be created while a transaction of ActiveRecord is open, and {Configuration#transactions} is `:raise`.
  class OpenTransactionError < Error; end

  # An input is wrong; nothing was changed.
  #
  # @example
  #   begin
  #     TaskerCore.open("sqlite::memory:").create_task("none", contxt: {})
  #   rescue TaskerCore::ValidationError => e
  #     e.faults.first[:path] # => "contxt"
  #   end
  class ValidationError < Error
    # @return [Array<Hash{Symbol => String, nil}>] what is wrong, each with `:path` (`"steps[2].depends_on"`, empty for
    #   the whole), `:message`, `:expected` and `:got`; frozen
    attr_reader :faults

    # @param message [String, nil]
    # @param faults [Array<Hash{Symbol => String, nil}>, nil] where they are left out, the message is the only one
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

  # A handler returned what its step's `output` schema does not allow. {#faults} has everything that is wrong, with its
  # path (`"result.lines[1]"`). The step fails for good; nothing raises it, {Configuration#on_error} is called with it.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.register({ name: "sum", steps: [{ name: "add", output: { type: "integer" }, handler: ->(_ctx) { "3" } }] })
  #   handle.create_task("sum")
  #   told = []
  #   handle.work(until: :idle, on_error: ->(error, ctx) { told << [error.class, error.path, ctx.step_name] })
  #   told # => [[TaskerCore::InvalidOutput, "result", "add"]]
  class InvalidOutput < ValidationError; end

  # What was asked for does not exist.
  class NotFoundError < Error
    # @return [String, nil] what kind of thing it is: `"task"`, `"template"`, `"version"`, `"step"` or `"handler"`
    attr_reader :kind
    # @return [String, nil] the id or name that was asked for
    attr_reader :name

    # @param message [String, nil]
    # @param kind [String, nil]
    # @param name [String, nil]
    def initialize(message = nil, kind: nil, name: nil)
      super(message)
      @kind = kind
      @name = name
    end
  end

  # The key belongs to another task, or to two of those that are to be created at once.
  class DuplicateTaskError < Error
    # @return [String, nil] the id of the task that has the key; nil where two of those that
    #   {OrchestrationHandle#create_tasks} was to create have the same key, and no other task has it
    attr_reader :existing_id
    # @return [String, nil] the key
    attr_reader :key

    # @param message [String, nil]
    # @param existing_id [String, nil]
    # @param key [String, nil]
    def initialize(message = nil, existing_id: nil, key: nil)
      super(message)
      @existing_id = existing_id
      @key = key
    end
  end

  # The state of a task or step does not allow what was asked.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
  #   task = handle.create_task("hello")
  #   handle.work(until: :idle)
  #   begin
  #     task.pause
  #   rescue TaskerCore::StateTransitionError => e
  #     [e.state, e.allowed, e.allowed_in] # => ["complete", ["restart_from"], ["pending", "in_progress"]]
  #   end
  class StateTransitionError < Error
    # @return [String, nil] what was asked, such as `"pause"`
    attr_reader :operation
    # @return [String, nil] the state it is in
    attr_reader :state
    # @return [Array<String>] the operations that are allowed now
    attr_reader :allowed
    # @return [Array<String>] the states in which what was asked is allowed
    attr_reader :allowed_in

    # @param message [String, nil]
    # @param operation [String, nil]
    # @param state [String, nil]
    # @param allowed [Array<String>]
    # @param allowed_in [Array<String>]
    def initialize(message = nil, operation: nil, state: nil, allowed: [], allowed_in: [])
      super(message)
      @operation = operation
      @state = state
      @allowed = allowed
      @allowed_in = allowed_in
    end
  end

  # The handle outlived its ttl; {OrchestrationHandle#refresh} gives a new one.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:", ttl: 0.001)
  #   sleep 0.01
  #   begin
  #     handle.tasks.count
  #   rescue TaskerCore::HandleExpiredError => e
  #     e.age > e.ttl # => true
  #     handle = handle.refresh
  #   end
  class HandleExpiredError < Error
    # @return [String, nil] the handle's id
    attr_reader :handle_id
    # @return [Float, nil] how old the handle was, in seconds
    attr_reader :age
    # @return [Float, nil] how old it may be, in seconds
    attr_reader :ttl

    # @param message [String, nil]
    # @param handle_id [String, nil]
    # @param age [Float, nil] seconds
    # @param ttl [Float, nil] seconds
    def initialize(message = nil, handle_id: nil, age: nil, ttl: nil)
      super(message)
      @handle_id = handle_id
      @age = age
      @ttl = ttl
    end
  end

  # The handle was closed.
  class HandleClosedError < Error; end

  # The database failed.
  class DatabaseError < Error
    # @return [String, nil] PostgreSQL's SQLSTATE, such as `"57014"`, or SQLite's extended result code, such as
    #   `"2570"`; nil when the database itself said nothing, as when it can't be reached
    attr_reader :code
    # @return [String, nil] the driver's own words, with what caused them; for logs. They hold no password
    attr_reader :detail

    # @param message [String, nil]
    # @param retryable [Boolean] whether the same call may succeed later
    # @param code [String, nil]
    # @param detail [String, nil]
    def initialize(message = nil, retryable: false, code: nil, detail: nil)
      super(message)
      @retryable = retryable
      @code = code
      @detail = detail
    end

    # @return [Boolean] whether the same call may succeed later
    def retryable? = @retryable
  end

  # Every connection of the pool stayed busy; the same call may succeed later. Those who wait get a connection in the
  # order in which they asked.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:", pool: 5, acquire_timeout: 0.5)
  #   begin
  #     handle.tasks.count
  #   rescue TaskerCore::PoolTimeoutError => e
  #     warn "#{e.in_use} of #{e.max} connections to #{e.database} were in use for #{e.waited} s"
  #   end
  class PoolTimeoutError < DatabaseError
    # @return [Float, nil] how long the call waited for one, in seconds: the `acquire_timeout`
    attr_reader :waited
    # @return [Integer, nil] the size of the pool
    attr_reader :max
    # @return [Integer, nil] how many connections were in use when the wait was over
    attr_reader :in_use
    # @return [String, nil] the database's URL, without a password
    attr_reader :database

    # @param message [String, nil]
    # @param retryable [Boolean]
    # @param waited [Float, nil] seconds
    # @param max [Integer, nil]
    # @param in_use [Integer, nil]
    # @param database [String, nil]
    def initialize(message = nil, retryable: true, waited: nil, max: nil, in_use: nil, database: nil)
      super(message, retryable: retryable)
      @waited = waited
      @max = max
      @in_use = in_use
      @database = database
    end
  end

  # A wait came to its end without what it waited for.
  class TimeoutError < Error
    # @return [String, nil] the id of the task that had not ended
    attr_reader :task_id
    # @return [Float, nil] how long the wait was to be, in seconds
    attr_reader :timeout

    # @param message [String, nil]
    # @param task_id [String, nil]
    # @param timeout [Float, nil] seconds
    def initialize(message = nil, task_id: nil, timeout: nil)
      super(message)
      @task_id = task_id
      @timeout = timeout
    end
  end

  # A fault of this library; please report it, with {#place}.
  class InternalError < Error
    # @return [String, nil] file, line and column of this library's source, where they are known
    attr_reader :place

    # @param message [String, nil]
    # @param place [String, nil]
    def initialize(message = nil, place: nil)
      super(message)
      @place = place
    end
  end

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
