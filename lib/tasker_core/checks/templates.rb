# frozen_string_literal: true

module TaskerCore
  module Checks
    # A program's templates: those of its workflow classes, of a directory of YAML files, and what it registered on the
    # default handle.
    #
    # @api private
    class Templates
      # @return [Array<Array(String, String, String)>] namespace, name and version of those that could be read
      attr_reader :found

      # @param handle [OrchestrationHandle, nil] on the database that they are compared with
      def initialize(handle)
        @handle = handle
        @refusals = []
        @looked_at = []
        @found = []
      end

      # @return [Array<Problem>] what is wrong with them
      def problems
        uses = Hash.new { |parents, handler| parents[handler] = [] }
        @looked_at.each { |handlers| handlers.note(uses) }
        @refusals + @looked_at.flat_map { |handlers| handlers.problems(uses) }
      end

      # @param workflow [Class<Workflow>]
      # @return [void]
      def check_workflow(workflow) = check(workflow, workflow.name || workflow.task_name)

      # @param path [String] a folder
      # @return [void]
      def check_directory(path)
        TemplateDirectory.new(path).definitions(Native).each { |definition, _key| check_definition(definition, path) }
      rescue ValidationError => e
        refused(path, e)
      end

      # @param registered [OrchestrationHandle] with templates of its own
      # @return [void]
      def check_registered(registered)
        (registered.registry.keys - @found).each do |namespace, name, version|
          template = registered.template(name, namespace: namespace, version: version)
          @found << [namespace, name, version]
          look(template.to_h, *registered_callables(registered.registry, template.steps))
        end
      end

      private

      def registered_callables(registry, steps)
        %i[find list limit_key].map do |kind|
          steps.to_h do |step|
            [step, registry.public_send(kind, @found.last, step)]
          end
        end
      end

      def check(given, subject)
        check_definition(Definition.new(given, {}), subject)
      rescue ValidationError => e
        refused(subject, e)
      end

      # One that could be registered, as far as can be told without a database.
      def check_definition(definition, subject)
        key = definition.check(Native)
        @found << key
        look(definition.template, definition.handlers, definition.lists, definition.limit_keys)
        definition.located { Waiting.await(@handle.native.compare(definition.template)) } if @handle
      rescue ValidationError => e
        refused(key ? named(key) : subject, e)
      end

      def look(template, *callables)
        steps = (EitherKey.of(template, "steps") || []).map do |step|
          { name: EitherKey.of(step, "name").to_s, depends_on: Array(EitherKey.of(step, "depends_on")).map(&:to_s) }
        end
        @looked_at << Handlers.new(named(@found.last), steps, *callables)
      end

      def refused(subject, error)
        error.faults.each do |fault|
          @refusals << Problem.new(level: "error", subject: subject, message: ValidationError.sentence(fault))
        end
      end

      def named(key) = "#{key[0]}/#{key[1]} #{key[2]}"
    end
  end
end
