# frozen_string_literal: true

module TaskerCore
  # How a handle creates tasks: at once, or what was checked before.
  #
  # @api private
  module Creation
    # @api private
    def create_task_now(template, options)
      creation = OrchestrationHandle.creation
      return creation.of_one(self, template, options) { |given| make_task(given, options) } if creation

      make_task(template, options)
    end

    # @api private
    def create_tasks_now(template, options)
      creation = OrchestrationHandle.creation
      return creation.of_many(self, template, options) { |given| make_tasks(given, options) } if creation

      make_tasks(template, options)
    end

    # Checks what is to be created later.
    #
    # @api private
    # @return [Native::Prepared]
    def prepare(template, options)
      OrchestrationHandle.creation&.prepare(self, template, options)
      asked = wanted(template, options)
      Waiting.await(options.key?(:contexts) ? @native.prepare_tasks(asked) : @native.prepare_task(asked))
    end

    # Creates what was checked, unless it is there already.
    #
    # @api private
    # @return [Array<String>] the tasks
    def create_prepared(prepared, template, options)
      creation = OrchestrationHandle.creation
      return Waiting.await(@native.create_prepared(prepared)) unless creation

      options = { **options, contexts: [options[:context]] } unless options.key?(:contexts)
      creation.of_many(self, template, options) { Waiting.await(@native.create_prepared(prepared)) }
    end

    private

    def make_task(template, options)
      Waiting.await(@native.create_task(wanted(template, options)))
    rescue ValidationError
      options.key?(:transactional) ? make_task(template, without_transaction(options)) : raise
    end

    def make_tasks(template, options)
      Waiting.await(@native.create_tasks(wanted(template, options)))
    rescue ValidationError
      options.key?(:transactional) ? make_tasks(template, without_transaction(options)) : raise
    end

    # Where ActiveRecord isn't loaded nobody takes this option out before the engine refuses it: whoever doesn't give it
    # pays nothing for it.
    def without_transaction(options)
      return options.except(:transactional) unless options[:transactional]

      raise ConfigurationError,
            "transactional: true writes into the application's database with ActiveRecord, which is not loaded"
    end
  end
end
