# frozen_string_literal: true

module TaskerCore
  # What becomes of tasks that are created while ActiveRecord is loaded: where a transaction is open they wait for its
  # commit, or are written into it; see {Configuration#transactions}.
  #
  # @api private
  module Transactions
    module_function

    # @return [Task, DeferredTask]
    def create_task(handle, template, options)
      hold(handle, template, options, ->(tasks) { tasks.first }) { handle.create_task_now(template, options) }
    end

    # @return [Array<String>]
    def create_tasks(handle, template, options)
      hold(handle, template, options, ->(tasks) { tasks.map(&:id).freeze }) do
        handle.create_tasks_now(template, options)
      end
    end

    # @param native [Native::Handle] the worker's
    def worker_started(worker, native) = Outbox::Relay.start(worker, native)

    def hold(handle, template, options, answer)
      way = way_for(options)
      return yield if way == :immediate

      connections = OpenTransactions.connections
      case way
      when :outbox then answer.call(Outbox.write(handle, template, options, connections))
      when :raise then connections.empty? ? yield : refuse(template)
      else connections.empty? ? yield : answer.call(defer(handle, template, options, connections))
      end
    end

    # What is to be done; takes `transactional` out of the options. In a test of the kit's there is an engine in memory,
    # and often no commit: no row would ever become a task.
    def way_for(options)
      asked = options.delete(:transactional)
      way = { nil => TaskerCore.configuration.transactions, true => :outbox, false => :immediate }.fetch(asked) do
        raise ValidationError.at("transactional", "is true, false or nil", expected: "true, false or nil",
                                                                           got: Native.shown(asked))
      end
      way == :outbox && OrchestrationHandle.creation&.engaged? ? :after_commit : way
    end

    def refuse(template)
      name = template.is_a?(Class) ? template.name : template
      raise OpenTransactionError,
            "#{name}: a task is created while a transaction of ActiveRecord is open: its steps could run before the " \
            "commit, or after a rollback. Create it afterwards, or say transactional: true, or set transactions to " \
            ":after_commit"
    end

    # @return [Array<DeferredTask>]
    def defer(handle, template, options, connections)
      deferral = Deferral.new(handle, template, options)
      CommitWatch.new(connections, &deferral.method(:over)) unless deferral.tasks.empty?
      deferral.tasks
    end

    private_class_method :hold, :way_for, :refuse, :defer
  end
end
