# frozen_string_literal: true

require_relative "tasker_core/version"
require_relative "tasker_core/errors"
require_relative "tasker_core/seconds"
require_relative "tasker_core/extension"
TaskerCore::Extension.load
require_relative "tasker_core/filter"
require_relative "tasker_core/configuration"
require_relative "tasker_core/waiting"
require_relative "tasker_core/fork_hook"
require_relative "tasker_core/nearest"
require_relative "tasker_core/either_key"
require_relative "tasker_core/snapshot"
require_relative "tasker_core/asking"
require_relative "tasker_core/task_operations"
require_relative "tasker_core/step_operations"
require_relative "tasker_core/task"
require_relative "tasker_core/step"
require_relative "tasker_core/transition"
require_relative "tasker_core/annotation"
require_relative "tasker_core/event"
require_relative "tasker_core/handle_info"
require_relative "tasker_core/task_list"
require_relative "tasker_core/step_handler"
require_relative "tasker_core/step_context"
require_relative "tasker_core/workflow"
require_relative "tasker_core/yaml_document"
require_relative "tasker_core/yaml_template"
require_relative "tasker_core/overlay"
require_relative "tasker_core/environments"
require_relative "tasker_core/json_value"
require_relative "tasker_core/active_job/job_step"
require_relative "tasker_core/definition"
require_relative "tasker_core/template_directory"
require_relative "tasker_core/handlers"
require_relative "tasker_core/handler_registry"
require_relative "tasker_core/makers"
require_relative "tasker_core/lists"
require_relative "tasker_core/limit_keys"
require_relative "tasker_core/template"
require_relative "tasker_core/reporter"
require_relative "tasker_core/subscription"
require_relative "tasker_core/notifications"
require_relative "tasker_core/interrupter"
require_relative "tasker_core/attempt_hooks"
require_relative "tasker_core/attempt"
require_relative "tasker_core/process_end"
require_relative "tasker_core/worker"
require_relative "tasker_core/work_summary"
require_relative "tasker_core/bulk_operations"
require_relative "tasker_core/upkeep"
require_relative "tasker_core/template_lookup"
require_relative "tasker_core/probes"
require_relative "tasker_core/watching"
require_relative "tasker_core/plain_time"
require_relative "tasker_core/performance"
require_relative "tasker_core/drawing"
require_relative "tasker_core/creation"
require_relative "tasker_core/orchestration_handle"
require_relative "tasker_core/orchestration_manager"
require_relative "tasker_core/deferred_task"
require_relative "tasker_core/outbox"
require_relative "tasker_core/frameworks"

# Durable workflows: tasks made of steps that depend on one another, kept in SQLite or PostgreSQL.
#
# Open a handle with {.open} and work with that ({OrchestrationHandle}), or let the module's own methods act on
# the process's default handle, which is made from {.configure} when it is first needed.
#
# @example
#   class Hello < TaskerCore::Workflow
#     step(:greet) { |ctx| "hello #{ctx.context["name"]}" }
#   end
#
#   handle = TaskerCore.open("sqlite::memory:")
#   handle.register(Hello)
#   task = handle.create_task("hello", context: { name: "Ada" })
#   handle.work(until: :idle)
#   task.reload.step(:greet).result # => "hello Ada"
module TaskerCore
  class << self
    # Opens a database, which is made and migrated where that is needed.
    #
    # @param url [String] `sqlite:relative/path`, `sqlite:///absolute/path`, `sqlite::memory:` (a private database
    #   in memory), `postgres://user:password@host:port/name`; options follow after `?`
    # @param ttl [Numeric, nil] seconds after which the handle expires; nil for never
    # @param pool [Integer, nil] the most connections, 1 to 1000; a URL's `pool` wins. Default: 5
    # @param acquire_timeout [Numeric, nil] seconds to wait for a free connection. Default: 5
    # @param lease [Numeric, nil] seconds for which this process's claims hold without renewal. Default: 15
    # @param retention [Numeric, nil] seconds for which tasks are kept that ended; nil for ever. See
    #   {Configuration#retention}
    # @param max_depth [Integer, nil] how deep Arrays and Hashes may be nested in one another in a context, a config, a
    #   schema or a result, 1 to 100. Default: 64
    # @param max_context_bytes [Integer, nil] the most bytes of JSON that a context, a config or a schema may have, 1 to
    #   268435456 (256 MiB). Default: 1048576 (1 MiB)
    # @param max_result_bytes [Integer, nil] the most bytes of JSON that a result may have, 1 to 268435456 (256 MiB).
    #   Default: 16777216 (16 MiB)
    # @return [OrchestrationHandle]
    # @raise [ValidationError] when an option is wrong
    # @raise [ConfigurationError] when the URL or what it names can't be used
    # @raise [DatabaseError] when the database fails
    # @example
    #   handle = TaskerCore.open("sqlite:tasker.sqlite3")
    #   handle.info[:backend] # => "sqlite"
    #   handle.close
    def open(url, ttl: nil, pool: nil, acquire_timeout: nil, lease: nil, retention: nil, max_depth: nil,
             max_context_bytes: nil, max_result_bytes: nil)
      OrchestrationHandle.open(url, ttl: ttl, pool: pool, acquire_timeout: acquire_timeout, lease: lease,
                                    retention: retention, max_depth: max_depth, max_context_bytes: max_context_bytes,
                                    max_result_bytes: max_result_bytes)
    end

    # The settings of this process. A default handle that is open already keeps those it was made with.
    #
    # @return [Configuration]
    def configuration
      @configuration ||= Configuration.new
    end

    # Changes the settings.
    #
    # @yieldparam configuration [Configuration]
    # @return [Configuration]
    # @example
    #   TaskerCore.configure { |c| c.database_url = "sqlite::memory:" }
    def configure
      Frameworks.look
      yield configuration if block_given?
      configuration
    end

    # The process's default handle, opened when it is first asked for.
    #
    # @return [OrchestrationHandle]
    def handle
      OrchestrationManager.instance.handle
    end

    # Registers a template on the default handle; see {OrchestrationHandle#register}.
    #
    # @param (see OrchestrationHandle#register)
    # @return (see OrchestrationHandle#register)
    def register(template, **options)
      handle.register(template, **options)
    end

    # Registers a directory's templates on the default handle; see {OrchestrationHandle#register_directory}.
    #
    # @param (see OrchestrationHandle#register_directory)
    # @return (see OrchestrationHandle#register_directory)
    def register_directory(path = "config/tasker")
      handle.register_directory(path)
    end

    # Creates a task on the default handle; see {OrchestrationHandle#create_task}.
    #
    # @param (see OrchestrationHandle#create_task)
    # @return (see OrchestrationHandle#create_task)
    def create_task(template, **options)
      handle.create_task(template, **options)
    end

    # Creates tasks on the default handle; see {OrchestrationHandle#create_tasks}.
    #
    # @param (see OrchestrationHandle#create_tasks)
    # @return (see OrchestrationHandle#create_tasks)
    def create_tasks(template, **options)
      handle.create_tasks(template, **options)
    end

    # Finds a task through the default handle; see {OrchestrationHandle#task}.
    #
    # @param (see OrchestrationHandle#task)
    # @return (see OrchestrationHandle#task)
    def task(id)
      handle.task(id)
    end

    # Lists tasks through the default handle; see {OrchestrationHandle#tasks}.
    #
    # @param (see OrchestrationHandle#tasks)
    # @return (see OrchestrationHandle#tasks)
    def tasks(**filter)
      handle.tasks(**filter)
    end

    # Deletes old tasks through the default handle; see {Upkeep#purge}.
    #
    # @param (see Upkeep#purge)
    # @return (see Upkeep#purge)
    def purge(**options, &)
      handle.purge(**options, &)
    end

    # Pauses a queue through the default handle; see {Upkeep#pause_queue}.
    #
    # @param (see Upkeep#pause_queue)
    # @return (see Upkeep#pause_queue)
    def pause_queue(name, **options)
      handle.pause_queue(name, **options)
    end

    # Ends a queue's pause through the default handle; see {Upkeep#resume_queue}.
    #
    # @param (see Upkeep#resume_queue)
    # @return (see Upkeep#resume_queue)
    def resume_queue(name, **options)
      handle.resume_queue(name, **options)
    end

    # Lists the paused queues through the default handle; see {Upkeep#paused_queues}.
    #
    # @return (see Upkeep#paused_queues)
    def paused_queues
      handle.paused_queues
    end

    # Subscribes to events through the default handle; see {OrchestrationHandle#subscribe}.
    #
    # @param (see OrchestrationHandle#subscribe)
    # @return (see OrchestrationHandle#subscribe)
    def subscribe(...)
      handle.subscribe(...)
    end

    # Makes a worker for the default handle; see {OrchestrationHandle#worker}.
    #
    # @param (see OrchestrationHandle#worker)
    # @return (see OrchestrationHandle#worker)
    def worker(**options)
      handle.worker(**options)
    end

    # Works on the default handle; see {OrchestrationHandle#work}.
    #
    # @param (see OrchestrationHandle#work)
    # @return (see OrchestrationHandle#work)
    def work(**options)
      handle.work(**options)
    end
  end
end

require_relative "tasker_core/migration"
require_relative "tasker_core/railtie" if defined?(Rails::Railtie)
