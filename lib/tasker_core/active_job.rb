# frozen_string_literal: true

require "active_job"
require "tasker_core" unless defined?(TaskerCore::OrchestrationHandle)

# `queue_adapter = :tasker` finds it here; done by itself where ActiveJob is loaded.
ActiveJob::QueueAdapters.autoload(:TaskerAdapter, "active_job/queue_adapters/tasker_adapter")
