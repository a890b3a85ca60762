# frozen_string_literal: true

require "active_job"
require "tasker_core"
require "tasker_core/active_job/job_task"

# ActiveJob's own.
module ActiveJob
  # Where ActiveJob looks for adapters.
  module QueueAdapters
    # What adapters stand on since Rails 7.2.
    TASKER_BASE = const_defined?(:AbstractAdapter) ? AbstractAdapter : Object
    private_constant :TASKER_BASE

    # Runs plain jobs as tasks of one step, on the process's default handle:
    # `config.active_job.queue_adapter = :tasker`. ACTIVE_JOB.md says what becomes of queues, priorities, times, retries
    # and transactions.
    #
    # @example
    #   require "tasker_core/active_job"
    #   class Greet < ActiveJob::Base
    #     self.queue_adapter = :tasker
    #     self.logger = nil
    #     def perform(name) = File.write("greeting", "hello #{name}")
    #   end
    #
    #   TaskerCore.configure { |c| c.database_url = "sqlite::memory:" }
    #   job = Greet.perform_later("Ada")
    #   TaskerCore.handle.work(until: :idle)
    #   TaskerCore.task(job.provider_job_id).status # => "complete"
    #   File.read("greeting") # => "hello Ada"
    class TaskerAdapter < TASKER_BASE
      def initialize(...)
        super
        TaskerCore::OrchestrationHandle.jobs = TaskerCore::JobTask
      end

      # Creates the job's task; its id is the job's `provider_job_id`.
      #
      # @param job [ActiveJob::Base]
      # @return [TaskerCore::Task, TaskerCore::DeferredTask]
      # @raise [TaskerCore::DatabaseError] when the database fails
      # @raise [TaskerCore::ValidationError] when the arguments are too large, or the queue's name can't be one
      def enqueue(job) = TaskerCore::JobTask.enqueue(job, nil)

      # The same for a later time.
      #
      # @param job [ActiveJob::Base]
      # @param timestamp [Numeric] in seconds since 1970
      # @return [TaskerCore::Task, TaskerCore::DeferredTask]
      def enqueue_at(job, timestamp) = TaskerCore::JobTask.enqueue(job, timestamp)

      # For `perform_all_later` (Rails 7.1): those of one class, queue, priority and time in one transaction.
      #
      # @param jobs [Array<ActiveJob::Base>]
      # @return [Integer] how many were enqueued
      def enqueue_all(jobs) = TaskerCore::JobTask.enqueue_all(jobs)

      # What Rails 7.2 asks: whether it should hold jobs back until the transaction is committed. No: the task waits for
      # that by itself (TRANSACTIONS.md), so that `provider_job_id` is known at once.
      #
      # @return [Boolean] false
      def enqueue_after_transaction_commit? = false

      # What Rails 8.1's continuations ask between two steps: whether the worker is being stopped.
      #
      # @return [Boolean]
      def stopping? = TaskerCore::JobTask.stopping?
    end
  end
end
