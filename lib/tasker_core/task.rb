# frozen_string_literal: true

module TaskerCore
  # A snapshot of a task: frozen, so that {#reload} gives a new one. A field is converted when it is read, each
  # time: keep a large one in a local variable. Any Ractor may read it; only the main one may ask the database.
  #
  # @!attribute [r] id
  #   @return [String] a UUID that sorts by the time of creation
  # @!attribute [r] namespace
  #   @return [String]
  # @!attribute [r] name
  #   @return [String] its template's name
  # @!attribute [r] version
  #   @return [String] its template's version
  # @!attribute [r] status
  #   @return [String] `pending`, `in_progress`, `paused`, `complete`, `error`, `cancelled` or `resolved_manually`
  # @!attribute [r] context
  #   @return [Hash{String => Object}] its input, deeply frozen
  # @!attribute [r] key
  #   @return [String, nil] what makes it the same task as another one of its template
  # @!attribute [r] priority
  #   @return [Integer] higher goes first
  # @!attribute [r] queue
  #   @return [String]
  # @!attribute [r] tags
  #   @return [Array<String>]
  # @!attribute [r] initiator
  #   @return [String, nil] who asked for it
  # @!attribute [r] reason
  #   @return [String, nil] why
  # @!attribute [r] run_at
  #   @return [Time, nil] not before this moment
  # @!attribute [r] created_at
  #   @return [Time] in UTC, by the database's clock
  # @!attribute [r] started_at
  #   @return [Time, nil] when its first step was claimed
  # @!attribute [r] finished_at
  #   @return [Time, nil] when it ended
  # @!attribute [r] error
  #   @return [Hash{String => Object}, nil] the first final failure: `step`, `class`, `message` and more
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
  #   task = handle.create_task("hello")
  #   handle.work(until: :idle)
  #   case task.reload
  #   in { status: "complete", name: } then puts "#{name} is done"
  #   end
  class Task
    include Snapshot
    include Asking
    include TaskOperations

    # A question for each status.
    module Status
      # @return [Boolean]
      def pending? = status == "pending"

      # @return [Boolean]
      def in_progress? = status == "in_progress"

      # @return [Boolean]
      def paused? = status == "paused"

      # @return [Boolean]
      def complete? = status == "complete"

      # @return [Boolean]
      def error? = status == "error"

      # @return [Boolean]
      def cancelled? = status == "cancelled"

      # @return [Boolean]
      def resolved_manually? = status == "resolved_manually"

      # @return [Boolean] false: it is there. A {DeferredTask} waits for a commit
      def deferred? = false

      # @return [Boolean] whether nothing of it will run unless someone asks for it
      def ended? = complete? || error? || cancelled? || resolved_manually?
    end
    include Status

    # The names of the fields.
    FIELDS = %i[id namespace name version status context key priority queue tags initiator reason run_at created_at
                started_at finished_at error].freeze

    # What `Marshal.load` gives for a dumped one: its fields, and no handle; frozen.
    #
    # @api private
    Loaded = Struct.new(*FIELDS, keyword_init: true) do
      include Status
      include Snapshot::Shown
    end

    # @!visibility private
    def self._load(text)
      Loaded.new(**Marshal.load(text)).freeze # rubocop:disable Security/MarshalLoad -- within a Marshal.load
    end

    # @api private
    # @return [String] what may be a task's id
    # @raise [ValidationError] when it is none
    def self.checked_id(id)
      case id
      when String then id
      else raise ValidationError.at("id", "is a String", expected: "a UUID", got: Native.shown(id))
      end
    end

    # Its steps as they are now.
    #
    # @return [Array<Step>] in the order of the template
    def steps
      ask(:native_steps)
    end

    # One of its steps as it is now.
    #
    # @param name [String, Symbol]
    # @return [Step]
    # @raise [NotFoundError] when it has no such step; the message names the nearest
    def step(name)
      all = steps
      all.find { |step| step.name == name.to_s } or
        raise NotFoundError.new("the task #{self.name} has no step #{name.to_s.inspect}" \
                                "#{Nearest.hint(name, all.map(&:name))}", kind: "step", name: name.to_s)
    end

    # What happened to it and its steps until now.
    #
    # @return [Array<Transition>] oldest first
    def history
      ask(:native_history)
    end

    # Keeps a remark on it, in whatever state it is. A task is found by the types of its annotations:
    # `handle.tasks(annotation: "fraud_check")`.
    #
    # @param type [String, Symbol] what kind of remark it is; 1 to 128 characters
    # @param value [Object, nil] what it says: JSON values only, at most 1 MiB unless the handle was opened with another
    #   `max_context_bytes`
    # @param by [String, nil] who makes it; 1 to 1024 characters
    # @return [Annotation]
    # @raise [ValidationError] when the type, the value or `by` is wrong
    # @raise [NotFoundError] when the task was deleted
    # @raise [DatabaseError] when the database fails
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
    #   task = handle.create_task("hello")
    #   task.annotate("fraud_check", { score: 0.2 }, by: "Ada").value # => { "score" => 0.2 }
    #   handle.tasks(annotation: "fraud_check").count # => 1
    def annotate(type, value, by: nil)
      ask(:native_annotate, { type: type, value: value, by: by })
    end

    # The remarks on it until now.
    #
    # @param type [String, Symbol, nil] of this type only
    # @return [Array<Annotation>] oldest first
    # @raise [NotFoundError] when the task was deleted
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
    #   task = handle.create_task("hello")
    #   task.annotate(:note, "called the customer")
    #   task.annotations(type: :note).map(&:value) # => ["called the customer"]
    def annotations(type: nil)
      ask(:native_annotations, { type: type })
    end

    # @return [Task] a new snapshot; this one stays as it is
    def reload
      ask(:native_reload)
    end

    # Waits until it has ended, whichever process ends it.
    #
    # @param timeout [Numeric, nil] seconds; nil for as long as it takes
    # @return [Task] as it is then
    # @raise [TimeoutError] when the time is over first
    def wait(timeout: nil)
      ask(:native_wait, { timeout: Seconds.parse(timeout, "timeout") })
    end

    # @return [String] one short line
    def inspect
      "#<TaskerCore::Task #{id} #{namespace}/#{name} #{version} #{status}>"
    end
    alias to_s inspect
  end
end
