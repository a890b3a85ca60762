# frozen_string_literal: true

module TaskerCore
  # What {OrchestrationHandle#register} was given, in two parts: the template for the engine, in which handlers are
  # names, and the handlers themselves.
  #
  # @api private
  class Definition
    # @return [Hash] for the engine
    attr_reader :template
    # @return [Hash{String => Object}] by step
    attr_reader :handlers

    def initialize(given, handlers, lists = {}, limit_keys = {})
      @file = YamlTemplate.new(given) if given.is_a?(String) || given.respond_to?(:to_path)
      @given_handlers = by_step(given, handlers)
      @lists = Lists.new(given.is_a?(Template) && lists.is_a?(Hash) ? { **given.lists, **lists } : lists)
      @environments = Environments.new(definition_of(given))
      @template = @environments.template
      @limit_keys = LimitKeys.new(with_own(given, limit_keys), EitherKey.of(@template, "defaults"))
      @handlers = {}
      @faults = []
      split
    end

    # Checks everything that can be checked without a database.
    #
    # @param native [Native::Handle, Module] whose limits hold; {Native} for the usual ones
    # @return [Array(String, String, String)] namespace, name, version
    # @raise [ValidationError] with all faults
    def check(native)
      located do
        key, known = examine(template, native)
        elsewhere = @environments.faults_elsewhere(known) { |other| examine(without_handlers(other), native).last }
        faults = known + @faults + @lists.faults + @limit_keys.faults +
                 @environments.faults + elsewhere
        raise ValidationError.new(faults: faults.freeze) unless faults.empty?

        key
      end
    end

    # @return [Hash{String => #call}] what makes lists, by step
    def lists = @lists.by_step

    # @return [Hash{String => #call}] what makes the keys of limits, by step
    def limit_keys = @limit_keys.by_step

    # Runs the block; a ValidationError in it names the place in what was given, and with a file that and the line.
    def located
      yield
    rescue ValidationError => e
      raise @file ? @file.locate(as_given(e)) : as_given(e)
    end

    private

    # @return [Array(Array<String>, Array<Hash>)] the template's key, nil where it has faults, and these
    def examine(template, native)
      [native.check_template(template), []]
    rescue ValidationError => e
      [nil, e.faults]
    end

    # For another environment, whose handlers need not exist in this one.
    def without_handlers(template)
      with_plain_defaults(with_steps(template) do |steps|
        steps.map do |step|
          next step unless step.is_a?(Hash)

          LimitKeys.without(Lists.without(JobStep.without(step.reject { |name, _| handler?(name) })))
        end
      end)
    end

    def as_given(error)
      faults = error.faults.map { |fault| { **fault, path: @environments.origin(fault[:path]) }.freeze }
      faults == error.faults ? error : ValidationError.new(faults: faults.freeze)
    end

    def definition_of(given)
      return @file.read if @file

      case given
      when Hash then given
      when Template then given.to_h
      when Class then return given.to_h if given <= Workflow
      end || raise(ValidationError.at("", "a template is a Workflow class, a Hash, or the path of a YAML file",
                                      expected: "a Workflow class, a Hash or a path", got: Native.shown(given)))
    end

    # A template that was registered elsewhere brings its own.
    def with_own(given, limit_keys)
      given.is_a?(Template) && limit_keys.is_a?(Hash) ? { **given.limit_keys, **limit_keys } : limit_keys
    end

    def by_step(given, handlers)
      unless handlers.is_a?(Hash)
        raise ValidationError.at("handlers", "is a Hash of steps' names and handlers", got: handlers.class.name)
      end

      handlers = handlers.transform_keys(&:to_s)
      given.is_a?(Template) ? { **given.handlers, **handlers } : handlers
    end

    def split
      @template = with_plain_defaults(with_steps(template) do |steps|
        split = steps.each_with_index.map { |step, index| split_step(step, index) }
        names = steps.map { |step| name_of(step) }
        refuse_unknown(names)
        @lists.refuse_others(names)
        @limit_keys.refuse_others(names)
        split
      end)
    end

    # The template with what the block makes of its steps. What are no steps is left for the engine to refuse.
    def with_steps(template)
      key = template.key?("steps") ? "steps" : :steps
      template[key].is_a?(Array) ? { **template, key => yield(template[key]) } : template
    end

    # What makes the keys of limits is kept by step.
    def with_plain_defaults(template)
      key = template.key?("defaults") ? "defaults" : :defaults
      template[key].is_a?(Hash) ? { **template, key => LimitKeys.without(template[key]) } : template
    end

    # A step that is no Hash, or has two handlers, is left for the engine to refuse.
    def split_step(step, index)
      return step unless step.is_a?(Hash) && step.each_key.count { |key| handler?(key) } < 2

      name = name_of(step)
      step = with_job(step, index) unless EitherKey.of(step, "job").nil?
      own = EitherKey.of(step, "handler")
      handler = @given_handlers.fetch(name, own)
      note(name, handler, index)
      step = @limit_keys.take(@lists.take(step, name, index), name, index)
      { **step.reject { |key, _| handler?(key) }, handler: Handlers.name_of(own || handler) }
    end

    # What is wrong with its job is said of the handler's place, too, unless there is another handler.
    def with_job(step, index)
      if EitherKey.of(step, "handler")
        @faults << ValidationError.fault("steps[#{index}].job", "has a job and a handler; give one of them")
        return JobStep.without(step)
      end
      JobStep.expand(step)
    rescue ValidationError => e
      @faults << { **e.faults.first, path: "steps[#{index}].job" }.freeze
      { **JobStep.without(step), handler: ->(_ctx) {} }
    end

    def handler?(key)
      ["handler", :handler].include?(key)
    end

    def note(name, handler, index)
      problem = "has no handler; give one here, or as handlers: { #{name.inspect} => … }" if handler.nil?
      problem ||= Handlers.problem(handler)
      @handlers[name] = handler
      return unless problem

      @faults << ValidationError.fault("steps[#{index}].handler", "the handler of the step #{name.inspect}: #{problem}",
                                       expected: "a class, an object with call, or a constant's name",
                                       got: Native.shown(handler))
    end

    def refuse_unknown(names)
      (@given_handlers.keys - names).each do |unknown|
        @faults << ValidationError.fault("handlers.#{unknown}",
                                         "there is no step #{unknown.inspect}#{Nearest.hint(unknown, names)}",
                                         expected: names.join(", "), got: unknown)
      end
    end

    def name_of(step)
      step.is_a?(Hash) ? EitherKey.of(step, "name").to_s : ""
    end
  end
end
