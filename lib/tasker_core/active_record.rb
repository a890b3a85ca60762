# frozen_string_literal: true

require "active_record"
require "tasker_core" unless defined?(TaskerCore::OrchestrationHandle)
require_relative "active_record/open_transactions"
require_relative "active_record/commit_watch"
require_relative "active_record/deferral"
require_relative "active_record/transactions"

# Has tasks wait for ActiveRecord's transactions; done by itself where ActiveRecord is loaded.
TaskerCore::OrchestrationHandle.transactions = TaskerCore::Transactions
