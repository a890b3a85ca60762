# frozen_string_literal: true

module TaskerCore
  # The hold on one open database. Handles on the same database share one pool of connections, except those on
  # `sqlite::memory:`, each of which has a database of its own. A handle may be used by any number of threads, and
  # after a fork by both processes.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
  #   task = handle.create_task("hello")
  #   handle.work(until: :idle)
  #   task.reload.complete? # => true
  #   handle.close
  class OrchestrationHandle
    include BulkOperations
    include Upkeep
    include TemplateLookup
    include Creation
    include Watching

    # The conditions of {#tasks} that are moments.
    TIMES = %i[created_after created_before finished_after finished_before].freeze
    private_constant :TIMES

    class << self
      # See {TaskerCore.open}.
      #
      # @param (see TaskerCore.open)
      # @return (see TaskerCore.open)
      def open(url, ttl: nil, acquire_timeout: nil, lease: nil, retention: nil, **options)
        look_before_open(url)
        spans = { ttl: ttl, acquire_timeout: acquire_timeout, lease: lease, retention: retention }
        spans = spans.to_h { |name, span| [name, Seconds.parse(span, name.to_s)] }
        new(Waiting.await(Native::Handle.open({ url: url, **spans, **options })), HandlerRegistry.new)
      end

      # What holds tasks back for ActiveRecord's transactions ({Transactions}); nil where that isn't loaded.
      #
      # @api private
      attr_accessor :transactions

      # What has workers know of ActiveJob's jobs ({JobTask}); nil where none are enqueued here.
      #
      # @api private
      attr_accessor :jobs

      # What a test does with tasks that are created ({Testing::Creation}); nil outside of tests.
      #
      # @api private
      attr_accessor :creation

      # Has a block look at each URL before it is opened; it may raise.
      #
      # @api private
      def before_open(&guard)
        @guard = guard
      end

      # @api private
      # @param url [String]
      # @raise [ConfigurationError] when the block of {before_open} refuses it
      def look_before_open(url)
        @guard&.call(url)
      end

      private :new
    end

    # @api private
    attr_reader :native
    # @api private
    attr_reader :registry

    # @api private
    def initialize(native, registry)
      Frameworks.look
      @native = native
      @registry = registry
      @workers = []
      @info = nil
    end

    # Stores a template and registers it on this handle, whose workers then run its steps. The same template may be
    # registered any number of times, by any process.
    #
    # @param template [Class<Workflow>, Hash, String, Pathname, Template] a Workflow class, a Hash, the path of a
    #   YAML file, or a template that was registered elsewhere
    # @param handlers [Hash{String, Symbol => Class, #call}] handlers by step, for steps that name none
    # @param each [Hash{String, Symbol => #call}] what makes lists, by step, for steps that say `each: true`
    # @param limit_keys [Hash{String, Symbol => #call}] what makes the keys of limits, by step, for steps whose limit,
    #   or that of the template's defaults, says `key: true`
    # @return [Template]
    # @raise [ValidationError] with all faults, when something is wrong with it; or when tasks use this version with
    #   another graph or other schemas, with a fault for every difference: steps that are new, missing or renamed,
    #   edges, and each value of a schema by its path
    # @raise [DatabaseError] when the database fails
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
    def register(template, handlers: {}, each: {}, limit_keys: {})
      definition = Definition.new(template, handlers, each, limit_keys)
      stored = store(definition, definition.check(@native))
      @registry.remember(template) if template.is_a?(Class)
      stored
    end

    # Registers every YAML file (`.yml`, `.yaml`) of a directory and of the directories in it, in the order of their
    # paths. All are checked before the first is stored, and what is wrong with any of them is said at once, with file
    # and line. What only the database can refuse, such as another graph under a version that tasks use, ends it
    # there: the files before that one stay registered.
    #
    # @param path [String, Pathname] default: `config/tasker`
    # @return [Array<Template>] none where there are no such files
    # @raise [ConfigurationError] when there is no such directory
    # @raise [ValidationError] with the faults of all files, among them a template that is defined in two
    # @raise [DatabaseError] when the database fails
    # @example
    #   Dir.mkdir("templates")
    #   File.write("templates/hello.yml", <<~YAML)
    #     name: hello
    #     steps:
    #       - name: greet
    #         handler: Greet
    #   YAML
    #   class Greet < TaskerCore::StepHandler
    #     def call(_ctx) = "hello"
    #   end
    #
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register_directory("templates").map(&:name) # => ["hello"]
    def register_directory(path = "config/tasker")
      TemplateDirectory.new(path).definitions(@native).map { |definition, key| store(definition, key) }
    end

    # Creates a task.
    #
    # @param template [String, Symbol, Class<Workflow>, Template] a template's name, or a Workflow class, which is
    #   registered where it isn't yet
    # @param options [Hash]
    # @option options [String, Symbol] :namespace ("default") the template's
    # @option options [String] :version the template's; the highest where it is left out
    # @option options [Hash] :context ({}) the task's input: JSON values only, at most 1 MiB and 64 levels deep unless
    #   the handle was opened with other limits (see {TaskerCore.open}). What it lacks is filled in from the template's
    #   schema (see {Workflow.input})
    # @option options [Hash] :headers ({}) what its handlers are given beside the context ({StepContext#headers}), JSON
    #   values only. They are added to those of {Configuration#task_headers} and are no part of its identity
    # @option options [String, Symbol] :key what makes it the same task as another one of its template; 1 to 512
    #   characters. Where it is left out, the template's `identity` may make one (see {Workflow.identity})
    # @option options [Symbol] :on_duplicate (:raise) what to do when another task has the key: `:raise` an error,
    #   or `:return` that task
    # @option options [Integer] :priority -32767 to 32767, higher goes first. Default: the template's, 0
    # @option options [String, Symbol] :queue whose workers run it. Default: the template's, "default"
    # @option options [Time, String] :run_at not before this moment
    # @option options [Array<String, Symbol>] :tags words to find it by: at most 100, each of 1 to 512 characters
    # @option options [String, Symbol] :initiator who asks for it; 1 to 1024 characters
    # @option options [String] :reason why; 1 to 1024 characters
    # @option options [Boolean] :transactional with ActiveRecord only: true writes a row into the app's own database, in
    #   its transaction, of which a task is made after the commit whatever happens ({Outbox}); false creates the task at
    #   once, also within a transaction. Default: what {Configuration#transactions} says
    # @return [Task, DeferredTask] the latter for a task that isn't created before a transaction is committed
    # @raise [ValidationError] with all faults (up to 20), when options or the context are wrong
    # @raise [NotFoundError] when there is no such template; the message names the nearest
    # @raise [DuplicateTaskError] when another task has the key
    # @raise [DatabaseError] when the database fails
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
    #   handle.create_task("hello", context: { name: "Ada" }, key: "ada", on_duplicate: :return)
    def create_task(template, **options)
      Notifications.refresh(@native)
      transactions = OrchestrationHandle.transactions
      return transactions.create_task(self, template, options) if transactions

      create_task_now(template, options)
    end

    # Creates as many tasks as there are contexts, in one transaction: all or none.
    #
    # @param template [String, Symbol, Class<Workflow>, Template]
    # @param options [Hash] these, and those of {#create_task} without `context` and `key`
    # @option options [Array<Hash>] :contexts the tasks' inputs
    # @option options [Array<String, Symbol>] :keys as many keys. Two that are the same are a {DuplicateTaskError}
    #   without `existing_id`, or one task with `on_duplicate: :return`
    # @return [Array<String>] the tasks' ids in the order of the contexts
    # @raise [ValidationError, NotFoundError, DuplicateTaskError, DatabaseError] see {#create_task}
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
    #   handle.create_tasks("hello", contexts: [{ n: 1 }, { n: 2 }]).size # => 2
    def create_tasks(template, **options)
      Notifications.refresh(@native)
      transactions = OrchestrationHandle.transactions
      return transactions.create_tasks(self, template, options) if transactions

      create_tasks_now(template, options)
    end

    # Creates a task from JSON text, whose keys are those of {#create_task} and `name`. It does the same by a longer
    # way; benchmarks and tests compare the two.
    #
    # @param text [String]
    # @return [Task]
    def create_task_json(text)
      Waiting.await(@native.create_task_json(text))
    end

    # @param id [String]
    # @return [Task] as it is now
    # @raise [NotFoundError] when there is none
    # @raise [ValidationError] when it is no task's id
    def task(id)
      Waiting.await(@native.task(Task.checked_id(id)))
    end

    # The tasks that match all of these conditions, newest first.
    #
    # @param filter [Hash]
    # @option filter [Symbol, String, Array] :status one or several
    # @option filter [String, Symbol] :namespace
    # @option filter [String, Symbol] :name the template's
    # @option filter [String] :version
    # @option filter [String, Symbol] :key
    # @option filter [String, Symbol] :tag
    # @option filter [String, Symbol] :annotation a type of annotations ({Task#annotate}) of which it has one
    # @option filter [Hash] :context values in its context, at paths that its template declares searchable
    #   ({Workflow.search}): `{ "customer.id" => 7 }` or `{ customer: { id: 7 } }`. A value is a String, a number, true,
    #   false or nil; 7, 7.0 and 7e0 are the same, 7 and "7" are not; nil finds what is null, not what is missing
    # @option filter [Time, String] :created_after at this moment or later
    # @option filter [Time, String] :created_before earlier than this moment
    # @option filter [Time, String] :finished_after it ended at this moment or later
    # @option filter [Time, String] :finished_before it ended earlier than this moment
    # @option filter [Integer] :limit at most so many
    # @option filter [String] :before only tasks older than the one with this id
    # @return [TaskList] which reads while it is walked through
    # @raise [ValidationError] when a condition is wrong, or no template declares a path of `context:` searchable; the
    #   message names the nearest one
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.tasks(status: %i[pending in_progress]).each { |task| puts task.inspect }
    def tasks(**filter)
      TaskList.new(@native, plain_times(filter))
    end

    # Makes a worker for the templates that are registered on this handle, now and later.
    #
    # @param threads [Integer, nil] 1 to 1000. Default: {Configuration#threads}, 5
    # @param queues [Array<String>, nil] only steps of these queues. Default: {Configuration#queues}, nil for all
    # @param on_error [#call, nil] see {Configuration#on_error}, its default
    # @return [Worker] to be started
    # @raise [ValidationError] when an option is wrong
    def worker(threads: nil, queues: nil, on_error: nil)
      @native.validate!
      configuration = TaskerCore.configuration
      threads ||= configuration.threads
      queues ||= configuration.queues
      check_on_error(on_error)
      queues = [queues] if queues.is_a?(String) || queues.is_a?(Symbol)
      Native.check_worker({ threads: threads, queues: queues })
      OrchestrationHandle.jobs&.worker_made(self)
      worker = Worker.new(@native, @registry, threads: threads, queues: queues,
                                              on_error: on_error || configuration.on_error)
      @workers = [*@workers.select(&:running?), worker]
      worker
    end

    # Runs steps in threads of this process, and waits.
    #
    # @param until [Symbol, nil] `:idle`: until nothing is ready, held by anyone or waiting for a retry, among the
    #   registered templates and these queues (a later `run_at` does not count); nil: until the handle is closed
    # @param threads [Integer, nil] 1 to 1000. Default: {Configuration#threads}, 5
    # @param queues [Array<String>, nil] only steps of these queues. Default: {Configuration#queues}, nil for all
    # @param timeout [Numeric, nil] seconds after which no more steps are begun; those under way may end within
    #   {Configuration#drain_timeout}
    # @param on_error [#call, nil] see {Configuration#on_error}, its default
    # @return [WorkSummary]
    # @raise [Error] inside a handler
    # @raise [ValidationError] when an option is wrong
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.work(until: :idle, threads: 2, timeout: 10).ran # => 0
    def work(until: nil, threads: nil, queues: nil, timeout: nil, on_error: nil)
      goal = check_goal(binding.local_variable_get(:until))
      limit = Seconds.parse(timeout, "timeout")
      raise Error, "work can't be called from inside a handler: it would wait for its own step" if Attempt.current?

      worker = worker(threads: threads, queues: queues, on_error: on_error)
      in_time = work_with(worker, goal, limit)
      counted = worker.stats
      WorkSummary.new(ran: counted[:ran], failed: counted[:failed], timed_out: !in_time)
    end

    # Has a block told what this process commits to the database, through whichever handle, from now on: every
    # change of a task's or a step's status, after its commit, and what happens to handlers, leases and workers;
    # {Event} has the list. In the order of the commits, so that what happened to one task comes in order. The block
    # runs in a thread of its own; what it raises is logged and given to `on_error`, and it goes on. It ends
    # with {Subscription#cancel} and when this handle is closed.
    #
    # @param patterns [Array<String, Symbol>] names of events, in which `*` stands for any characters; all events
    #   where there is none
    # @param capacity [Integer] how many events may wait for the block, 1 to 1,000,000. Further ones are dropped:
    #   they are counted by {Subscription#dropped}, reported to the logger and `on_error`, and seen in {Event#sequence}
    # @param on_error [#call, nil] see {Configuration#on_error}, its default
    # @yieldparam event [Event]
    # @return [Subscription]
    # @raise [ValidationError] when a pattern names no event, or an option is wrong
    # @raise [HandleExpiredError, HandleClosedError, DatabaseError]
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.subscribe("step.error", "task.error") { |event| warn event.metadata.inspect }
    def subscribe(*patterns, capacity: 10_000, on_error: nil, &block)
      raise ValidationError.at("block", "is missing: give what is to be called with each event") unless block

      check_on_error(on_error)
      Subscription.new(@native, patterns.flatten, capacity: capacity, reporter: Reporter.current(on_error), &block)
    end

    # @return [HandleInfo] what it is at this moment
    def info
      return @info if @native.still?(@info)

      info = @native.info
      @info = info unless frozen?
      info
    end

    # @return [String]
    def id = @native.id

    # @return [Boolean] whether it can be used
    def valid? = @native.valid?

    # What its database says of tasks and of itself.
    #
    # @return [Performance]
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
    #   task = handle.create_task("hello")
    #   handle.performance.task_execution_context(task.id).execution_status # => "has_ready_steps"
    def performance
      Performance.new(@native)
    end

    # @return [self]
    # @raise [HandleExpiredError, HandleClosedError] when it can't be used
    def validate!
      @native.validate!
      self
    end

    # @return [OrchestrationHandle] a new one on the same database, with the same templates, ttl and limits
    # @raise [HandleClosedError] when this one is closed
    def refresh
      self.class.send(:new, @native.refresh, @registry)
    end

    # @return [Float, nil] seconds until it expires; nil when it doesn't
    def expires_in = @native.expires_in

    # @return [Boolean]
    def expired? = @native.expired?

    # @return [Boolean]
    def closed? = @native.closed?

    # Stops its workers and lets go of the database; the last handle on one closes it. Closing twice does nothing. A
    # thread that is interrupted while it waits for this has closed the handle; the rest follows without it.
    #
    # Its subscriptions end when they have delivered what was committed until then.
    #
    # @return [void]
    def close
      closing = @native.close
      @workers.each { |worker| worker.stop(timeout: 0) }
      Waiting.await(closing)
    end

    # @return [String] one short line
    def inspect
      info = self.info
      "#<TaskerCore::OrchestrationHandle #{info[:id]} #{info[:database]} #{info[:status]}>"
    end
    alias to_s inspect

    private

    # Handlers are there before the template is: a worker may take a step of it at once.
    def store(definition, key)
      before = @registry.put(key, [definition.handlers, definition.lists, definition.limit_keys])
      Notifications.refresh(@native)
      normal = definition.located { Waiting.await(@native.register(definition.template)) }
      @registry.keep(Template.new(normal, definition.handlers, definition.lists, definition.limit_keys))
    ensure
      @registry.put(key, before) unless normal
    end

    # What a task is to run, with what is asked of it.
    def wanted(template, options)
      raise ValidationError.at("name", "is the first argument, not an option") if options.key?(:name)

      options = { **options, run_at: plain_time(options[:run_at]) } if options.key?(:run_at)
      options = TaskerCore.configuration.with_headers(options)
      case template
      when Class
        raise no_template(template) unless template <= Workflow

        register(template) unless @registry.remembers?(template)
        { name: template.task_name, namespace: template.namespace, version: template.version, **options }
      when Template
        { name: template.name, namespace: template.namespace, version: template.version, **options }
      else { **options, name: template }
      end
    end

    def no_template(given)
      ValidationError.at("name", "is a template's name or a Workflow class", expected: "a name or a Workflow class",
                                                                             got: Native.shown(given))
    end

    def plain_time(value) = PlainTime.of(value)

    def plain_times(options)
      options.to_h { |name, value| [name, TIMES.include?(name) ? plain_time(value) : value] }
    end

    def check_on_error(callable)
      return if callable.nil? || callable.respond_to?(:call)

      raise ValidationError.at("on_error", "has no method call", expected: "what has call",
                                                                 got: Native.shown(callable))
    end

    def check_goal(goal)
      return goal&.to_sym if [nil, :idle, "idle"].include?(goal)

      raise ValidationError.at("until", "is :idle, or left out to work until stopped", expected: ":idle",
                                                                                       got: Native.shown(goal))
    end

    # @return [Boolean] whether it ended before its time was over
    def work_with(worker, goal, limit)
      worker.start
      in_time = goal ? worker.until_idle(limit) : !worker.join(limit).nil?
      worker.stop
      ended = true
      in_time
    ensure
      worker.stop(timeout: 0) unless ended
    end
  end
end
