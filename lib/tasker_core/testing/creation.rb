# frozen_string_literal: true

module TaskerCore
  module Testing
    # A task that was started in this example. `given` is the context as the caller gave it.
    #
    # @api private
    Start = Struct.new(:handle, :id, :given) do
      def task = @task ||= handle.task(id)
    end

    # What happens in a test when a task is created: it is noted, and in the mode inline it runs.
    #
    # @api private
    module Creation
      module_function

      def of_one(handle, template, options, &make)
        around(handle, template, options, [options[:context]], make) do |task|
          Testing.inline? ? task.reload : task
        end
      end

      # Whether tasks are created in an engine in memory.
      def engaged? = !Testing.disabled?

      # Before a task is checked that is created later.
      def prepare(handle, template, options)
        enter(Testing.stage, handle, template, options) if engaged?
      end

      # The names of all steps that may run: those of templates that are registered on these handles or on the
      # application's own default one, and of workflow classes that are loaded.
      #
      # @param handles [Array<OrchestrationHandle>]
      # @return [Array<String>]
      def known_steps(handles)
        registries = [*handles, OrchestrationManager.instance.opened].compact.map(&:registry)
        classes = workflows(Workflow).flat_map { |workflow| workflow.steps.map { |step| step[:name].to_s } }
        (registries.flat_map(&:steps) + classes).uniq
      end

      def of_many(handle, template, options, &make)
        around(handle, template, options, options[:contexts], make) { |ids| ids }
      end

      def around(handle, template, options, contexts, make)
        stage = Testing.stage
        return make.call(template) if Testing.disabled? && !stage.watching

        enter(stage, handle, template, options) unless Testing.disabled?
        since = now_of(handle) if options[:on_duplicate]
        made = make.call(template)
        note(stage, handle, made, contexts, since)
        Drain.new(stage, [handle], goal: :idle).run if Testing.inline?
        yield made
      end

      # What the engine in memory has not met yet may be asked for by its name: a template that the application has
      # registered on the default handle, or a workflow class that is loaded.
      def enter(stage, handle, template, options)
        stage.clock(handle).follow
        return unless stage.engine?(handle) && (template.is_a?(String) || template.is_a?(Symbol))

        key = [(options[:namespace] || "default").to_s, template.to_s]
        known_elsewhere(key).each { |one| handle.register(one) } if handle.registry.templates(*key).empty?
      end

      def known_elsewhere(key)
        registered = OrchestrationManager.instance.opened&.registry&.templates(*key) || []
        return registered unless registered.empty?

        workflows(Workflow).select { |workflow| key_of(workflow) == key }
      end

      def workflows(parent)
        parent.subclasses.flat_map { |workflow| [workflow, *workflows(workflow)] }
      end

      # A class without a name of its own may be one that others inherit from.
      def key_of(workflow)
        [workflow.namespace, workflow.task_name]
      rescue ValidationError
        nil
      end

      # One that was there before, and is given back for its key, was not started.
      def note(stage, handle, made, contexts, since)
        tasks = made.is_a?(Array) ? made.zip(contexts || []) : [[made.id, contexts.first]]
        tasks.each do |id, given|
          next if stage.started?(id)

          start = Start.new(handle, id, given)
          next if since && start.task.created_at < since

          stage.note(start)
          Ledger.of(handle).note_task(id) unless Testing.disabled? || stage.engine?(handle)
        end
      end

      # Only the time is asked for, which harms no database.
      def now_of(handle) = Waiting.await(Native::Factories.on(handle.native, true).now)

      private_class_method :around, :enter, :known_elsewhere, :workflows, :key_of, :note, :now_of
    end

    OrchestrationHandle.creation = Creation
  end
end
