# frozen_string_literal: true

module TaskerCore
  # A base for handlers. A handler need not inherit from it: any object that has `call(ctx)` will do. A class is
  # made anew for every step, with `new` and without arguments.
  #
  # @example
  #   class ValidateOrder < TaskerCore::StepHandler
  #     def call(ctx)
  #       raise TaskerCore::PermanentError, "no items" if ctx.context["items"].empty?
  #
  #       { "total" => ctx.context["items"].sum { |item| item["price"] } }
  #     end
  #   end
  class StepHandler
    # Ready made: one HTTP request. It is loaded when it is first used.
    autoload :Http, "tasker_core/step_handler/http"

    # Does the step. It may run more than once: give outside services {StepContext#idempotency_key}.
    #
    # @param _ctx [StepContext]
    # @return [Object] any JSON value; it is recorded once
    def call(_ctx)
      raise PermanentError.new("#{self.class.name || "a step handler"} has no method call(ctx)",
                               error_code: "not_implemented")
    end
  end
end
