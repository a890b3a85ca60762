# frozen_string_literal: true

module TaskerCore
  # A template as a Ruby class. A subclass has its parent's steps and settings, and may add steps and set others;
  # a step of the same name takes the place of the parent's.
  #
  # @example
  #   class FulfilOrder < TaskerCore::Workflow
  #     namespace "orders"
  #     version   "1.0.0"
  #     input     type: "object", required: ["order_id"], properties: { order_id: { type: "integer" } }
  #     defaults  retry_limit: 3, timeout: 60
  #
  #     step(:validate) { |ctx| { "order" => ctx.context["order_id"] } }
  #     step(:reserve, depends_on: :validate) { true }
  #     step(:charge, depends_on: :validate, retry_limit: 5, timeout: 30) { 42 }
  #     step(:ship, depends_on: %i[reserve charge]) { |ctx| { "paid" => ctx.result(:charge) } }
  #   end
  class Workflow
    class << self
      # The name of the template: the class's own name in snake case, without its modules, unless it is set here.
      #
      # @param value [String, Symbol, nil] sets it
      # @return [String]
      # @raise [ValidationError] when the class has no name and none was set
      def task_name(value = nil)
        @task_name = value.to_s if value
        @task_name || snake_case_name
      end

      # @param value [String, Symbol, nil] sets it
      # @return [String] default: `default`
      def namespace(value = nil)
        @namespace = value.to_s if value
        @namespace || inherited_from(:namespace, "default")
      end

      # @param value [String, nil] sets it
      # @return [String] a semantic version; default: `1.0.0`
      def version(value = nil)
        @version = value.to_s if value
        @version || inherited_from(:version, "1.0.0")
      end

      # @param value [String, nil] sets it
      # @return [String, nil] for people
      def description(value = nil)
        @description = value if value
        @description || inherited_from(:description, nil)
      end

      # The JSON Schema of the context (draft 2020-12 unless its `$schema` says otherwise). What a task's context lacks
      # is filled in from the `default`s of its `properties`, before it is checked, and stored with it:
      #
      # * also in objects further down: in the values of `properties`, `items`, `prefixItems`, `additionalProperties`
      #   (without `patternProperties` beside it), and in a default that was filled in;
      # * of a schema's own, of those that its `$ref` (`#` or `#/…`) leads to, and of those in its `allOf`; the first of
      #   these that names one wins;
      # * nothing else: a key without a `default` of its own stays missing, a list never grows, `nil` is a value, and
      #   `anyOf`, `oneOf`, `if` and the like give no defaults, nor does a `default` of the whole context.
      #
      # @param schema [Hash, nil] sets it; keywords do the same
      # @param keywords [Hash{Symbol => Object}]
      # @return [Hash, nil]
      # @example
      #   class Ship < TaskerCore::Workflow
      #     input required: ["order_id"], properties: { order_id: { type: "integer" }, speed: { default: "slow" } }
      #     step(:pack) { |ctx| ctx.context["speed"] }
      #   end
      #
      #   handle = TaskerCore.open("sqlite::memory:")
      #   handle.create_task(Ship, context: { order_id: 7 }).context # => { "order_id" => 7, "speed" => "slow" }
      def input(schema = nil, **keywords)
        schema ||= keywords unless keywords.empty?
        @input = schema if schema
        @input || inherited_from(:input, nil)
      end

      # How a task gets its key where {OrchestrationHandle#create_task} is given no `key:`.
      #
      # * `always_unique`: it has none.
      # * `context`: two tasks of the template, of any version, with the same context are the same task. The context
      #   counts with its defaults filled in; the order of keys and the form of numbers (1, 1.0, 1e0) do not. The key is
      #   the SHA-256, in hexadecimal, of the JSON text of `[namespace, name, context]` in its canonical form: that of
      #   RFC 8785, but whole numbers from -2**63 to 2**64 - 1 keep all their digits.
      #
      # A task keeps its key when it has ended, so that another one with the same context is a {DuplicateTaskError}, or
      # the first one with `on_duplicate: :return`.
      #
      # @param strategy [String, Symbol, nil] sets it
      # @return [String, nil] nil is `always_unique`
      # @example
      #   class Invoice < TaskerCore::Workflow
      #     identity :context
      #     step(:send) { |ctx| ctx.context["order"] }
      #   end
      #
      #   handle = TaskerCore.open("sqlite::memory:")
      #   first = handle.create_task(Invoice, context: { order: 7, lines: 1 })
      #   again = handle.create_task(Invoice, context: { lines: 1.0, order: 7 }, on_duplicate: :return)
      #   again.id == first.id # => true
      def identity(strategy = nil)
        @identity = strategy.to_s if strategy
        @identity || inherited_from(:identity, nil)
      end

      # The paths into the context that its tasks can be searched by: `handle.tasks(context: { "order_id" => 7 })`. The
      # values there are copied into an index when a task is created, of every task that is created from then on. A path
      # that a context lacks has none. What is there is a String, a number, true, false or nil; a task with anything
      # else there is refused.
      #
      # @param paths [Array<String, Symbol>] set them: keys with a dot between them; at most 32, of at most 256 bytes
      # @return [Array<String>]
      # @example
      #   class Order < TaskerCore::Workflow
      #     search :order_id, "customer.city"
      #     step(:pack) { |ctx| ctx.context["order_id"] }
      #   end
      #
      #   handle = TaskerCore.open("sqlite::memory:")
      #   handle.create_task(Order, context: { order_id: 7, customer: { city: "Oslo" } })
      #   handle.tasks(context: { "customer.city" => "Oslo" }).first.context["order_id"] # => 7
      #   handle.tasks(context: { order_id: 8 }).count # => 0
      def search(*paths)
        @search = paths.flatten.map(&:to_s) unless paths.empty?
        @search || inherited_from(:search, [])
      end

      # What every step has unless it says otherwise: `retryable, retry_limit, backoff, timeout, interrupt, queue,
      # priority, config, limit, on_failure`. A limit counts for each step on its own; a callable that makes its key is
      # called for each step that has no limit itself.
      #
      # @param options [Hash, nil] sets them, over the parent's; keywords do the same
      # @param keywords [Hash{Symbol => Object}] those of {.step} without `description`, `depends_on`, `branches`,
      #   `each`, `job`, `arguments` and `output`
      # @return [Hash{Symbol => Object}]
      # @example At most two attempts at each step for one customer
      #   class Order < TaskerCore::Workflow
      #     defaults timeout: 60, limit: { key: "context.customer_id", running: 2 }
      #     step(:reserve) { |ctx| ctx.context["customer_id"] }
      #     step(:charge, depends_on: :reserve, limit: { running: 10 }) { |ctx| ctx.result(:reserve) }
      #   end
      #
      #   handle = TaskerCore.open("sqlite::memory:")
      #   task = handle.create_task(Order, context: { customer_id: 7 })
      #   handle.work(until: :idle)
      #   task.reload.step(:charge).result # => 7
      def defaults(options = nil, **keywords)
        options ||= keywords unless keywords.empty?
        @defaults = { **inherited_from(:defaults, {}), **options } if options
        @defaults || inherited_from(:defaults, {})
      end

      # Adds a step.
      #
      # @param name [Symbol, String]
      # @param handler [Class, #call, nil] a class (made anew for every step), an instance, or anything with `call`
      # @param options [Hash]
      # @option options [String] :description
      # @option options [Symbol, String, Array<Symbol, String>] :depends_on the steps whose results it needs
      # @option options [Boolean] :retryable (true)
      # @option options [Integer] :retry_limit (3) attempts, the first included
      # @option options [Hash, Symbol, String] :backoff the time between them
      # @option options [Numeric] :timeout (300) seconds that an attempt may take
      # @option options [Boolean] :interrupt (false) whether a handler is interrupted when its time is over
      #   ({Interrupted})
      # @option options [String, Symbol] :queue whose workers run it. Default: the task's
      # @option options [Integer] :priority -32767 to 32767, higher goes first. Default: the task's
      # @option options [Object] :config a JSON value, {StepContext#config}
      # @option options [Symbol, String] :on_failure what becomes of the task when it has failed
      # @option options [Array<Symbol, String>] :branches the names of steps that depend on it, among which its handler
      #   chooses with {StepContext#route}
      # @option options [#call, String, Symbol] :each it is done once for each item of a list, up to 10,000: an Array
      #   that a callable makes of the parents' results, a parent's name where its result is the list, or a path into it
      #   (`"split.parcels"`)
      # @option options [Hash] :limit `{ key: "context.customer_id", running: 3 }`, how many attempts of it may run at
      #   once, over all workers, for each value of the key: a path into the task's context, or a callable that makes it
      #   of the {StepContext}; without a key for the step as a whole
      # @option options [Class, String] :job in place of a handler: a class of ActiveJob's or its name, which is run
      #   with `arguments` (ACTIVE_JOB.md)
      # @option options [Object] :arguments of the job: a path, what is made of paths, or a callable
      # @option options [Hash] :output a JSON Schema of the result: what the handler returns (for each item) is held
      #   against it before it is recorded. A breach is a permanent error (`"class" => "InvalidOutput"`), whose message
      #   and `faults` tell what is wrong
      # @yieldparam ctx [StepContext] the handler as a block
      # @return [Symbol, String] the name
      # @raise [ValidationError] when both a handler and a block are given
      # @example
      #   class Price < TaskerCore::Workflow
      #     step(:total, output: { required: ["cents"], properties: { cents: { type: "integer" } } }) { { cents: 4.2 } }
      #   end
      #
      #   handle = TaskerCore.open("sqlite::memory:")
      #   task = handle.create_task(Price)
      #   handle.work(until: :idle)
      #   task.reload.step(:total).error["faults"].first["path"] # => "result.cents"
      def step(name, handler = nil, **options, &block)
        if handler && block
          raise ValidationError.at("steps.#{name}.handler", "has a handler and a block; give one of them")
        end

        handler ||= block || options[:handler]
        own_steps << { **options, name: name, handler: handler }
        name
      end

      # @return [Array<Hash{Symbol => Object}>] the steps as they were given, the parent's first
      def steps
        replaced = own_steps.to_h { |step| [step[:name].to_s, step] }
        names = inherited_from(:steps, []).map { |step| step[:name].to_s }
        first = inherited_from(:steps, []).map { |step| replaced.fetch(step[:name].to_s, step) }
        first + own_steps.reject { |step| names.include?(step[:name].to_s) }
      end

      # @return [Hash{Symbol => Object}] the definition, as {OrchestrationHandle#register} takes it
      def to_h
        definition = { name: task_name, namespace: namespace, version: version, description: description,
                       input: input, identity: identity, search: search, defaults: defaults, steps: steps }
        definition.reject { |key, value| value.nil? || (%i[defaults search].include?(key) && value.empty?) }
      end
      alias template to_h

      # Creates a task of this workflow on the default handle, on which it is registered where it isn't yet.
      #
      # @param context [Hash] the task's input
      # @param options [Hash] see {OrchestrationHandle#create_task}
      # @return [Task, DeferredTask] as {OrchestrationHandle#create_task} gives it
      # @example
      #   class Double < TaskerCore::Workflow
      #     step(:double) { |ctx| ctx.context["n"] * 2 }
      #   end
      #   TaskerCore.configure { |c| c.database_url = "sqlite::memory:" }
      #   Double.start({ n: 21 }, key: "the answer")
      def start(context = {}, **options)
        TaskerCore.create_task(self, context: context, **options)
      end

      private

      def own_steps
        @own_steps ||= []
      end

      def inherited_from(setting, otherwise)
        equal?(Workflow) ? otherwise : superclass.public_send(setting)
      end

      def snake_case_name
        unless name
          raise ValidationError.at("name", "a workflow class without a name of its own sets one with task_name")
        end

        name.split("::").last.gsub(/([A-Z]+)([A-Z][a-z])/, '\1_\2').gsub(/([a-z\d])([A-Z])/, '\1_\2').downcase
      end
    end
  end
end
