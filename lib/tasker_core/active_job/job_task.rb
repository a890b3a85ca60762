# frozen_string_literal: true

require "active_support/core_ext/object/deep_dup"
require_relative "job_performer"

module TaskerCore
  # The workflow that plain jobs of ActiveJob are tasks of, with `queue_adapter = :tasker`: one step, which runs the
  # job. Its context is what ActiveJob serializes a job to; each task has its job's class as a tag.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.tasks(namespace: "active_job", tag: "WelcomeJob", status: :error).count # => 0
  class JobTask < Workflow
    namespace "active_job"
    task_name "job"
    description "A job of ActiveJob"
    # An attempt that fails is the last one: another is ActiveJob's to make (`retry_on`). A day: jobs know no timeout.
    step :perform, JobPerformer, retryable: false, timeout: 86_400

    # What a step's and a task's priority may be, either way.
    MOST = 32_767
    private_constant :MOST

    class << self
      # @api private
      # @return [Task, DeferredTask]
      def enqueue(job, timestamp)
        task = TaskerCore.create_task(self, context: job.serialize, **options(job, timestamp))
        job.provider_job_id = task.id
        task
      end

      # @api private
      # @return [Integer]
      def enqueue_all(jobs)
        jobs.group_by { |job| options(job, job.scheduled_at) }.each { |options, some| create(some, options) }
        jobs.size
      end

      # Has a worker of the default handle know the job.
      #
      # @api private
      def worker_made(handle)
        return if handle.registry.remembers?(self) || !OrchestrationManager.instance.opened.equal?(handle)

        handle.register(self)
      end

      # @api private
      # @return [Boolean] whether the worker that runs this thread's job is being stopped
      def stopping? = JobPerformer.context&.stopping? || false

      private

      def create(jobs, options)
        ids = TaskerCore.create_tasks(self, contexts: jobs.map(&:serialize), **options)
        jobs.zip(ids) do |job, id|
          job.provider_job_id = id
          job.successfully_enqueued = true if job.respond_to?(:successfully_enqueued=)
        end
      end

      # With ActiveJob the lower priority goes first, here the higher one.
      def options(job, timestamp)
        options = { queue: job.queue_name, tags: [job.class.name] }
        options[:priority] = (-job.priority.to_i).clamp(-MOST, MOST) if job.priority
        options[:run_at] = Time.at(timestamp.to_f) if timestamp && timestamp.to_f > Time.now.to_f
        options
      end
    end
  end
end
