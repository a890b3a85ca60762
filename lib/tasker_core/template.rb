# frozen_string_literal: true

require "yaml"

module TaskerCore
  # A registered template, as {OrchestrationHandle#register} returns it; frozen.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   template = handle.register({ name: "hello", steps: [{ name: "greet", handler: ->(_ctx) { "hello" } }] })
  #   template.steps # => ["greet"]
  #   puts template.to_yaml
  class Template
    # @return [Hash{String => #call, Class, String}] the handlers by step
    attr_reader :handlers

    # @return [Hash{String => #call}] what makes the lists of steps with `each:`, by step
    attr_reader :lists

    # @return [Hash{String => #call}] what makes the keys of steps' limits, by step
    attr_reader :limit_keys

    # @api private
    def initialize(normal, handlers, lists, limit_keys)
      @normal = normal
      @handlers = handlers.dup.freeze
      @lists = lists.dup.freeze
      @limit_keys = limit_keys.dup.freeze
      freeze
    end

    # @return [String]
    def namespace = @normal["namespace"]

    # @return [String]
    def name = @normal["name"]

    # @return [String]
    def version = @normal["version"]

    # @return [String, nil]
    def description = @normal["description"]

    # @return [Array<String>] the names of its steps
    def steps = @normal["steps"].map { |step| step["name"] }

    # @return [Hash{Symbol => Object}] the definition, as {OrchestrationHandle#register} takes it; free values
    #   (`input`, `output`, `config`) have String keys
    def to_h
      symbols(@normal, "defaults", steps: @normal["steps"].map { |step| symbols(step) })
    end

    # @return [String] the definition as YAML, as {OrchestrationHandle#register} takes it from a file. A handler
    #   that has no constant is null: give it again as `handlers:`. What makes a list is `true`: give it again as
    #   `each:`; and so is what makes the key of a limit: `limit_keys:`
    def to_yaml(...)
      # Psych would write aliases for Strings that are the same object.
      JSON.parse(JSON.generate(@normal)).to_yaml(...)
    end

    # @return [Boolean] whether it is of the same class, with the same fields
    def ==(other)
      other.is_a?(Template) && other.to_h == to_h
    end
    alias eql? ==

    # @return [Integer]
    def hash = @normal.hash

    # @return [String] one short line
    def inspect
      "#<TaskerCore::Template #{namespace}/#{name} #{version}: #{steps.size} steps>"
    end
    alias to_s inspect

    private

    def symbols(hash, *nested, **replaced)
      nested = ["backoff", "limit", *nested]
      hash.to_h { |key, value| [key.to_sym, nested.include?(key) && value.is_a?(Hash) ? symbols(value) : value] }
          .merge(replaced)
    end
  end
end
