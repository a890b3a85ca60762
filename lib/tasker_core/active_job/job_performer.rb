# frozen_string_literal: true

module TaskerCore
  # Runs what ActiveJob serialized a job to.
  #
  # @api private
  class JobPerformer < StepHandler
    CONTEXT = :tasker_core_job_context
    private_constant :CONTEXT

    # @return [StepContext, nil] the step that runs this thread's job
    def self.context = Thread.current.thread_variable_get(CONTEXT)

    # What a job returns is its own affair.
    def call(ctx)
      Thread.current.thread_variable_set(CONTEXT, ctx)
      # A context is frozen, and a job may change its arguments.
      ::ActiveJob::Base.execute(ctx.context.deep_dup.merge("provider_job_id" => ctx.task_id))
      nil
    ensure
      Thread.current.thread_variable_set(CONTEXT, nil)
    end
  end
end
