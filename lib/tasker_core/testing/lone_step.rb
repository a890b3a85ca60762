# frozen_string_literal: true

module TaskerCore
  module Testing
    # One step without a database; see {Testing.run_step}.
    #
    # @api private
    class LoneStep
      # Answers a context in the place of a worker.
      StandIn = Struct.new(:cancelled, :expired, :stopping) do
        def taken_away?(_number) = cancelled
        def expired?(_number) = expired

        # Nothing is kept for a step that was taken from its handler.
        def checkpoint(assignment, value)
          Native.lone_checkpoint(assignment, value) unless cancelled || expired
          Done.new(true)
        end

        def heartbeat(_number) = !cancelled && !expired
        def working? = !stopping
      end

      # A call that there was nothing to wait for.
      Done = Struct.new(:value) do
        def done?(_signal) = true
      end

      NAME = "step"
      private_constant :Done, :NAME

      def initialize(handler, step, options)
        @workflow = handler if handler.is_a?(Class) && handler <= TaskerCore::Workflow
        @handler = handler
        @step = step&.to_s
        @worker = StandIn.new(*StandIn.members.map { |name| options.delete(name) || false })
        @given = %i[checkpoint headers item item_index].to_h { |name| [name, options.delete(name)] }.compact
        @options = options
        check
      end

      def call(context:, results:, attempt:)
        definition = Definition.new(template(results), {})
        definition.check(Native)
        assignment = Native.lone_step({ template: definition.template, step: @step || NAME, context: context,
                                        results: results, attempt: attempt, **@given })
        handler = Handlers.resolve(definition.handlers.fetch(@step || NAME))
        ctx = StepContext.new(assignment, @worker, TaskerCore.configuration.logger)
        seen = Native.lone_result(assignment, handler.call(ctx))
        yield ctx
        seen
      end

      private

      def check
        return unless @workflow
        raise ValidationError.at("step", "is missing: run_step(#{@workflow}, :its_name)") unless @step
        return if @options.empty?

        raise ValidationError.at(@options.keys.first.to_s, "is what the workflow says of its step; leave it out here")
      end

      # A handler alone depends on whatever results it is given, and its branches do nothing.
      def template(results)
        return @workflow.to_h if @workflow

        parents = results.keys.map(&:to_s)
        alone = { **@options, name: @step || NAME, handler: @handler, depends_on: parents }
        alone[:each] ||= ->(_results) { [] } if @given.key?(:item)
        parents = parents.map { |name| { name: name, handler: EchoHandler } }
        branches = [*@options[:branches]].map { |name| { name: name, handler: EchoHandler, depends_on: alone[:name] } }
        { name: "lone", steps: [*parents, alone, *branches] }
      end
    end
  end
end
