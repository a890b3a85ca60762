# frozen_string_literal: true

require "forwardable"

module TaskerCore
  # A task that waits for a transaction of ActiveRecord to be committed: what {OrchestrationHandle#create_task} gives
  # within one. It was checked, and has its id, but is not there yet; nobody finds it by the id before the commit.
  #
  # What is asked of the task itself (`steps`, `annotate`, `cancel` and the like) is asked of {#reload}.
  #
  # @example
  #   require "active_record"
  #   class Hello < TaskerCore::Workflow
  #     step(:greet) { |ctx| "hello #{ctx.context["name"]}" }
  #   end
  #
  #   ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: "app.sqlite3")
  #   handle = TaskerCore.open("sqlite::memory:")
  #   task = ActiveRecord::Base.transaction { handle.create_task(Hello, context: { name: "Ada" }) }
  #   task.created?       # => true
  #   task.reload.status  # => "pending"
  class DeferredTask
    extend Forwardable
    include Task::Status

    # @!method id
    #   @return [String] the task's id to be
    # @!method namespace
    #   @return [String]
    # @!method name
    #   @return [String] its template's name
    # @!method version
    #   @return [String] its template's version, which stays what it is when another one is registered before the commit
    # @!method context
    #   @return [Hash{String => Object}] its input with the defaults of the template's schema, deeply frozen
    # @!method key
    #   @return [String, nil]
    # @!method priority
    #   @return [Integer]
    # @!method queue
    #   @return [String]
    # @!method tags
    #   @return [Array<String>]
    # @!method initiator
    #   @return [String, nil]
    # @!method reason
    #   @return [String, nil]
    # @!method run_at
    #   @return [Time, nil]
    def_delegators :@planned, :id, :namespace, :name, :version, :context, :key, :priority, :queue, :tags, :initiator,
                   :reason, :run_at

    # @!method steps
    #   @return (see TaskerCore::Task#steps)
    # @!method step(name)
    #   @param (see TaskerCore::Task#step)
    #   @return (see TaskerCore::Task#step)
    # @!method history
    #   @return (see TaskerCore::Task#history)
    # @!method annotate(type, value, by: nil)
    #   @param (see TaskerCore::Task#annotate)
    #   @return (see TaskerCore::Task#annotate)
    # @!method annotations(type: nil)
    #   @param (see TaskerCore::Task#annotations)
    #   @return (see TaskerCore::Task#annotations)
    # @!method wait(timeout: nil)
    #   @param (see TaskerCore::Task#wait)
    #   @return (see TaskerCore::Task#wait)
    # @!method cancel(reason: nil, by: nil)
    #   @param (see TaskerCore::TaskOperations#cancel)
    #   @return (see TaskerCore::TaskOperations#cancel)
    # @!method pause(reason: nil, by: nil)
    #   @param (see TaskerCore::TaskOperations#pause)
    #   @return (see TaskerCore::TaskOperations#pause)
    # @!method resume(reason: nil, by: nil)
    #   @param (see TaskerCore::TaskOperations#resume)
    #   @return (see TaskerCore::TaskOperations#resume)
    # @!method retry(reason: nil, by: nil)
    #   @param (see TaskerCore::TaskOperations#retry)
    #   @return (see TaskerCore::TaskOperations#retry)
    # @!method restart_from(step, reason: nil, by: nil)
    #   @param (see TaskerCore::TaskOperations#restart_from)
    #   @return (see TaskerCore::TaskOperations#restart_from)
    # @!method resolve(reason: nil, by: nil)
    #   @param (see TaskerCore::TaskOperations#resolve)
    #   @return (see TaskerCore::TaskOperations#resolve)
    # @!method update(reason: nil, by: nil, **changes)
    #   @param (see TaskerCore::TaskOperations#update)
    #   @return (see TaskerCore::TaskOperations#update)
    def_delegators :reload, :steps, :step, :history, :annotate, :annotations, :wait, :cancel, :pause, :resume, :retry,
                   :restart_from, :resolve, :update

    # @return [String] `deferred` until the end of the transaction, then `created`; `dropped` after a rollback;
    #   `failed` where it was committed and the task could not be created then; `written` where it stands in an outbox,
    #   and a worker or a relay is still to make the task of it. What the task's own status is {#reload} tells
    attr_reader :status

    # @api private
    def initialize(handle, planned)
      @handle = handle
      @planned = planned
      @found = planned.id
      @status = "deferred"
    end

    # @return [Boolean] whether the transaction is still open
    def deferred? = status == "deferred"

    # @return [Boolean] whether the transaction was rolled back: the task never comes to be
    def dropped? = status == "dropped"

    # @return [Boolean] whether it is known to be there
    def created? = status == "created"

    # @return [Task] the task as it is now; another one where `on_duplicate: :return` found the key taken
    # @raise [NotFoundError] when it is not there: before the commit, after a rollback
    def reload
      raise NotFoundError.new("the task #{id} #{absence}", kind: "task", name: id) if deferred? || dropped?

      @handle.task(@found)
    end

    # @return [String] one short line
    def inspect = "#<TaskerCore::DeferredTask #{id} #{namespace}/#{name} #{version} #{status}>"
    alias to_s inspect

    # @return [Hash{Symbol => Object}] id, namespace, name, version, status, context, key, priority, queue, tags,
    #   initiator, reason, run_at
    def to_h
      { id: id, namespace: namespace, name: name, version: version, status: status, context: context, key: key,
        priority: priority, queue: queue, tags: tags, initiator: initiator, reason: reason, run_at: run_at }
    end

    # @param options [Hash, nil] as for {Snapshot#as_json}
    # @return [Hash{String => Object}] the fields of {#to_h}, JSON values only, as a task has them
    def as_json(options = nil)
      planned = @planned.as_json(only: Snapshot.wanted(to_h.keys, options))
      planned["status"] &&= status
      planned
    end

    # @param arguments [Array<Object>] none, a generator's state, or options as for {#as_json}
    # @return [String]
    def to_json(*arguments)
      options = arguments.first
      return as_json.to_json(*arguments) unless options.is_a?(Hash)

      as_json(options).to_json(options.except(:only, :except))
    end

    # @api private
    def written
      @status = "written"
    end

    # @api private
    def created(task_id = id)
      @found = task_id
      @status = "created"
    end

    # @api private
    def failed
      @status = "failed"
    end

    # @api private
    def dropped
      @status = "dropped"
    end

    private

    def absence
      return "was dropped: the transaction that it was created in was rolled back" if dropped?

      "isn't there yet: it waits for the transaction that is open in this thread to be committed"
    end
  end
end
