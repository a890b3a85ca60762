# frozen_string_literal: true

# A worker process of the storm; it ends when its standard input does.
#
#   ruby -Ilib chaos/worker.rb URL JOURNAL

require "logger"
require "tasker_core"
require_relative "journal"
require_relative "patience"
require_relative "workflows"

url, folder = ARGV
TaskerCore.configure { |c| c.logger = Logger.new($stderr, level: Logger::WARN) }
workflows = Chaos::Workflows.new(Chaos::Journal.new(folder))
handle = Chaos::Patience.insist { TaskerCore.open(url, lease: Float(ENV.fetch("CHAOS_LEASE"))) }
Chaos::Patience.insist { workflows.register(handle) }
worker = handle.worker(threads: 4)
Chaos::Patience.insist { worker.start }
$stdin.read
worker.stop(timeout: 5)
handle.close
