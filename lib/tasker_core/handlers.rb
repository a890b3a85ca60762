# frozen_string_literal: true

module TaskerCore
  # What may do a step: a class (made anew for every step), an instance or anything with `call`, or the name of a
  # constant that is one of these.
  #
  # @api private
  module Handlers
    class << self
      # @return [Boolean] whether a class is looked up again by its name, because the one that was registered may have
      #   been reloaded since
      attr_accessor :by_name
    end

    module_function

    # The name under which a template stores a handler; nil for one that has no constant.
    def name_of(handler)
      case handler
      when String then handler
      when Symbol then handler.to_s
      when Module then handler.name
      end
    end

    # The object whose `call` does a step now.
    def resolve(handler)
      handler = Object.const_get(handler.to_s) if named?(handler)
      handler = current(handler) if handler.is_a?(Class)
      handler.is_a?(Class) && handler.method_defined?(:call) ? handler.new : handler
    end

    # A class as it is now.
    def current(handler) = Handlers.by_name && handler.name ? Object.const_get(handler.name) : handler

    # What is wrong with a handler; nil where nothing is.
    def problem(handler)
      case handler
      when String, Symbol then problem_of_name(handler.to_s)
      when Class then problem_of_class(handler)
      when Proc, Method then problem_of_callable(handler)
      else "is no handler: #{handler.class} has no method call" unless handler.respond_to?(:call)
      end
    end

    def named?(handler)
      handler.is_a?(String) || handler.is_a?(Symbol)
    end

    def problem_of_name(name)
      found = Object.const_get(name)
      found.is_a?(String) ? "names a String, not a handler" : problem(found)
    rescue NameError => e
      lost = name.split("::").include?(e.name.to_s)
      lost ? "there is no constant #{name}#{Nearest.hint(name, known_names)}" : "#{name} can't be loaded: #{e.message}"
    end

    def problem_of_class(handler)
      return if !handler.method_defined?(:call) && handler.respond_to?(:call)
      return "is no handler: a #{handler} has no method call" unless handler.method_defined?(:call)
      return unless handler.method(:new).owner == Class

      "is made anew for every step, without arguments, but #{handler}#initialize wants some" \
        unless [0, -1].include?(handler.instance_method(:initialize).arity)
    end

    def problem_of_callable(handler)
      lambda = handler.is_a?(Method) || handler.lambda?
      "is called with one argument, the context; this takes #{handler.arity.abs}" \
        unless !lambda || [1, -1, -2].include?(handler.arity)
    end

    # Those that are loaded.
    def known_names
      [StepHandler::Http, *descendants(StepHandler)].filter_map(&:name).uniq
    end

    def descendants(handler)
      handler.subclasses.flat_map { |subclass| [subclass, *descendants(subclass)] }
    end

    private_class_method :named?, :problem_of_name, :problem_of_class, :problem_of_callable, :known_names, :descendants
  end
end
