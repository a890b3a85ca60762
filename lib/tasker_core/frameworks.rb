# frozen_string_literal: true

module TaskerCore
  # Looks whether ActiveRecord and ActiveJob are there, and has this gem know them: when it is loaded itself, when they
  # are where that is after it (with ActiveSupport's load hooks), and when the gem is configured or a handle opened.
  # Requires neither.
  #
  # @api private
  module Frameworks
    class << self
      def look
        hook unless @hooked
        require_relative "active_record" if loaded?(:ActiveRecord)
        # An adapter may be asked for before there is ActiveJob::Base, whose hooks come in their order.
        require_relative "active_job" if Object.const_defined?(:ActiveJob) && ActiveJob.const_defined?(:QueueAdapters)
      end

      private

      # Whether the constant Base is there, without loading it: that may be the application's to do.
      def loaded?(name)
        framework = Object.const_get(name) if Object.const_defined?(name)
        framework.is_a?(Module) && framework.const_defined?(:Base, false) && !framework.autoload?(:Base)
      end

      def hook
        return unless Object.const_defined?(:ActiveSupport)

        require "active_support/lazy_load_hooks"
        @hooked = true
        ActiveSupport.on_load(:active_record) { require "tasker_core/active_record" }
        ActiveSupport.on_load(:active_job) { require "tasker_core/active_job" }
      end
    end

    look
  end
end
