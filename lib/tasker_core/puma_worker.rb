# frozen_string_literal: true

require_relative "cli/errors"
require_relative "cli/program"

module TaskerCore
  # The worker that the plugin of Puma keeps in a web process. One that can't be started keeps nobody from answering
  # requests: that is said on standard error.
  #
  # @api private
  module PumaWorker
    class << self
      def start
        CLI::Program.load(nil)
        handle = TaskerCore.handle
        CLI::Program.register_workflows(handle)
        @worker = handle.worker.start
      rescue Error, CLI::UsageError => e
        warn "tasker: no steps run in this web process: #{e.message}"
      end

      def stop
        @worker&.stop
        @worker = nil
      rescue Error => e
        warn "tasker: the worker of this web process could not be stopped: #{e.message}"
      end
    end
  end
end
