# frozen_string_literal: true

module TaskerCore
  # What a handle knows of templates without registering them. {OrchestrationHandle} has these methods.
  module TemplateLookup
    # Checks a template as {OrchestrationHandle#register} does, against what tasks in the database use too. Nothing is
    # stored or registered.
    #
    # @param template [Class<Workflow>, Hash, String, Pathname, Template] see {OrchestrationHandle#register}
    # @param handlers [Hash{String, Symbol => Class, #call}] see {OrchestrationHandle#register}
    # @param each [Hash{String, Symbol => #call}] see {OrchestrationHandle#register}
    # @param limit_keys [Hash{String, Symbol => #call}] see {OrchestrationHandle#register}
    # @return [Array(String, String, String)] its namespace, name and version
    # @raise [ValidationError] with all faults, as registering it would
    # @raise [DatabaseError] when the database fails
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   hello = { name: "hello", steps: [{ name: "greet" }] }
    #   handle.check(hello, handlers: { greet: ->(_ctx) { "hello" } }) # => ["default", "hello", "1.0.0"]
    def check(template, handlers: {}, each: {}, limit_keys: {})
      definition = Definition.new(template, handlers, each, limit_keys)
      key = definition.check(native)
      definition.located { Waiting.await(native.compare(definition.template)) }
      key
    end

    # A template that is registered on this handle, or else the latest of that name in the database, whoever stored it.
    # Its handlers are those of the database: the names of constants, or nil.
    #
    # @param name [String, Symbol]
    # @param namespace [String, Symbol] the template's
    # @param version [String, nil] the highest where it is left out
    # @return [Template]
    # @raise [NotFoundError] when there is no such template; the message names the nearest
    # @raise [DatabaseError] when the database fails
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
    #   handle.template("hello").steps # => ["greet"]
    def template(name, namespace: "default", version: nil)
      wanted = { name: name, namespace: namespace, version: version }
      normal = Waiting.await(native.find_template(wanted))
      Template.new(normal, normal["steps"].to_h { |step| [step["name"], step["handler"]] }, {}, {})
    end
  end
end
