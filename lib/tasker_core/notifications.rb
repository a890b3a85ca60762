# frozen_string_literal: true

module TaskerCore
  # Where ActiveSupport is loaded, its Notifications get the same events that {OrchestrationHandle#subscribe} gives:
  # `step.complete` as `step_complete.tasker`, with {Event#to_h} as the payload. Only events that somebody
  # subscribes to leave Rust: who they are is looked up when tasks are created and worked on, and every second
  # by a working worker.
  #
  # Besides, each attempt at a step is instrumented as `perform_step.tasker`, in the thread and around the call of its
  # handler: the payload has `task_id, step_id, step_name, namespace, task_name, version, attempt, retry_limit`, and
  # ActiveSupport adds `exception` and `exception_object` where the handler raised.
  #
  # @example
  #   require "active_support"
  #   require "active_support/notifications"
  #
  #   done = Queue.new
  #   ActiveSupport::Notifications.subscribe("task_complete.tasker") { |event| done << event.payload[:task_name] }
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
  #   handle.create_task("hello")
  #   handle.work(until: :idle)
  #   done.pop # => "hello"
  module Notifications
    # Their names there, by ours.
    #
    # @return [Hash{String => String}]
    NAMES = Event.names.to_h { |name| [name, "#{name.tr(".", "_")}.tasker".freeze] }.freeze

    # What is instrumented around each call of a handler.
    PERFORM = "perform_step.tasker"
    # What its payload tells of the attempt.
    TOLD = %i[task_id step_id step_name namespace task_name version attempt retry_limit].freeze
    private_constant :TOLD

    # By the number of the open database.
    @relays = {}
    @lock = Mutex.new

    class << self
      # Sees to it that what `native_handle`'s database commits reaches those who subscribe now.
      #
      # @api private
      def refresh(native_handle)
        return unless defined?(ActiveSupport::Notifications)

        wanted = listened_to
        return if wanted.empty? && @relays.empty?

        id = Waiting.await(native_handle.engine_id)
        @lock.synchronize { relay(id, native_handle, wanted) }
      end

      # Runs a handler, instrumented where somebody listens.
      #
      # @api private
      def perform(context, &)
        return yield unless defined?(ActiveSupport::Notifications)
        return yield unless ActiveSupport::Notifications.notifier.listening?(PERFORM)

        payload = TOLD.to_h { |name| [name, context.public_send(name)] }
        ActiveSupport::Notifications.instrument(PERFORM, payload, &)
      end

      private

      def listened_to
        notifier = ActiveSupport::Notifications.notifier
        NAMES.filter_map { |name, theirs| name if notifier.listening?(theirs) }
      end

      def relay(id, native_handle, wanted)
        @relays.delete_if { |_, (subscription, _)| !subscription.active? }
        subscription, before = @relays[id]
        return if before == wanted || (subscription.nil? && wanted.empty?)

        subscription ? subscription.want(wanted) : subscription = subscribe(native_handle, wanted)
        @relays[id] = [subscription, wanted]
      end

      def subscribe(native_handle, wanted)
        Subscription.new(native_handle, wanted, reporter: Reporter.current, lasting: true) do |event|
          ActiveSupport::Notifications.instrument(NAMES.fetch(event.name), event.to_h)
        end
      end
    end
  end
end
