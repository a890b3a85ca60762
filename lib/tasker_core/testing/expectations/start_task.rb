# frozen_string_literal: true

module TaskerCore
  module Testing
    module Expectations
      # That tasks were started: by a block, or in this example until now, through {TaskerCore} or a handle of its own.
      # Exactly one, unless a number is given.
      class StartTask
        ONE = [:==, 1, "exactly"].freeze
        private_constant :ONE

        # @param workflow [Class<Workflow>, Template, String, Symbol, nil] of which they are; a name may have its
        #   namespace before it, `"orders/fulfil_order"`; any where it is left out
        def initialize(workflow = nil)
          @workflow = workflow
          @options = {}
        end

        # @param context [Object] what the context is like, as it was given or as it was stored with defaults filled in:
        #   Symbols count as Strings, and argument matchers go anywhere
        # @param keywords [Hash{Symbol => Object}] the same
        # @return [self]
        def with(context = nil, **keywords)
          @context = [context.nil? ? keywords : context]
          self
        end

        # @param options [Hash] fields of the {Task}: `key:`, `queue:`, `priority:`, `run_at:`, `tags:` and so on
        # @return [self]
        # @raise [ValidationError] when a task has no such field; the message names the nearest
        def having(**options)
          options.each_key do |field|
            next if Task::FIELDS.include?(field)

            raise ValidationError.at(field.name, "is no field of a task#{Nearest.hint(field, Task::FIELDS)}")
          end
          @options = options
          self
        end

        # @param number [Integer]
        # @return [self] so many, neither more nor less
        def exactly(number) = count(:==, number, "exactly")

        # @param number [Integer]
        # @return [self]
        def at_least(number) = count(:>=, number, "at least")

        # @param number [Integer]
        # @return [self]
        def at_most(number) = count(:<=, number, "at most")

        # @return [self]
        def once = exactly(1)

        # @return [self]
        def twice = exactly(2)

        # @return [self] so that it reads well: `exactly(3).times`
        def times = self

        # @param actual [Proc, Module, OrchestrationHandle] a block, {TaskerCore}, or a handle
        # @return [Boolean]
        def matches?(actual)
          look(actual)
          comparison, number = @count || ONE
          @found.size.public_send(comparison, number)
        end

        # @param actual [Proc, Module, OrchestrationHandle]
        # @return [Boolean] whether there was none; with a number, whether there were not so many
        def does_not_match?(actual)
          return !matches?(actual) if @count

          look(actual)
          @found.empty?
        end

        # @return [String] what was expected, and what was started
        def failure_message = message("to")

        # @return [String]
        def failure_message_when_negated = message("not to")

        # @return [String]
        def description
          number = @count ? "#{@count[2]} #{@count[1]} task#{"s" unless @count[1] == 1}" : "a task"
          having = " having #{@options.inspect}" unless @options.empty?
          "have started #{number}#{" of #{name}" if @workflow}" \
            "#{" with #{shown(@context.first)}" if @context}#{having}"
        end

        # @return [Boolean]
        def supports_block_expectations? = true

        # @return [Boolean]
        def supports_value_expectations? = true

        private

        def count(comparison, number, words)
          @count = [comparison, number, words]
          self
        end

        def look(actual)
          @started = actual.is_a?(Proc) ? during(actual) : until_now(actual)
          @found = @started.select { |start| found?(start) }
        end

        def during(block)
          stage = Testing.stage
          before = stage.starts.size
          stage.watch(&block)
          stage.starts.drop(before)
        end

        def until_now(actual)
          if Testing.disabled?
            raise Error, "what is started is noted in the modes fake and inline; in disabled, while a block runs: " \
                         "expect { … }.to have_started_task"
          end

          starts = Testing.stage.starts.dup
          return starts if actual.equal?(TaskerCore)
          return starts.select { |start| start.handle.equal?(actual) } if actual.is_a?(OrchestrationHandle)

          raise ValidationError.at("actual", "is no place where tasks are started",
                                   expected: "a block, TaskerCore or a handle", got: Native.shown(actual))
        end

        def found?(start)
          task = start.task
          template?(task) && context?(start) &&
            @options.all? { |field, value| Likeness.like?(value, task.public_send(field)) }
        end

        def template?(task)
          case @workflow
          when nil then true
          when String, Symbol then [task.name, "#{task.namespace}/#{task.name}"].include?(@workflow.to_s)
          when Class then same?(task, @workflow.namespace, @workflow.task_name, @workflow.version)
          else same?(task, @workflow.namespace, @workflow.name, @workflow.version)
          end
        end

        def same?(task, *key) = key == [task.namespace, task.name, task.version]

        def context?(start)
          return true unless @context

          [start.task.context, start.given || {}].any? { |context| Likeness.like?(@context.first, context) }
        end

        def name
          @workflow.is_a?(Template) ? "#{@workflow.namespace}/#{@workflow.name}" : @workflow.to_s
        end

        def shown(value) = Likeness.shown(value)

        def message(way)
          "expected #{way} #{description}, but #{@found.size} such #{@found.size == 1 ? "was" : "were"} started\n" \
            "#{list}"
        end

        def list
          return "no task was started" if @started.empty?

          lines = @started.map do |start|
            task = start.task
            "  #{task.namespace}/#{task.name} #{task.version} #{Filter.current.apply(task.context).inspect}"
          end
          ["all that were started:", *lines].join("\n")
        end
      end
    end
  end
end
