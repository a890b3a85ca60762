# frozen_string_literal: true

require "fileutils"
require "json"
require "logger"
require "socket"
require "tempfile"
require "timeout"
require "tmpdir"
require "tasker_core"

unless TaskerCore::Native.respond_to?(:arm_fault)
  abort "These specs make faults happen inside the engine, which only `rake compile:dev` compiles in. Run that first."
end

Dir[File.join(__dir__, "support", "*.rb")].each { |file| require file }

# What the engine warns of is not part of a test's output.
TaskerCore.configure { |c| c.logger = Logger.new(File::NULL) }

RSpec.configure do |config|
  config.disable_monkey_patching!
  config.order = :random
  Kernel.srand config.seed

  RSpec::Matchers.define_negated_matcher(:not_include, :include)
  config.expect_with(:rspec) { |expectations| expectations.max_formatted_output_length = 2_000 }
  config.mock_with(:rspec) { |mocks| mocks.verify_partial_doubles = true }
  config.filter_run_when_matching :focus

  config.extend Support::EachDatabase
  config.include Support::Deadlines
  config.include Support::Workflows
  config.include Support::Programs
  config.include Support::LoopbackServers
  config.include Support::Faults
  config.include Support::TcpProxies
  config.include Support::Disks

  # An example that hangs fails, and the run goes on.
  config.around do |example|
    limit = example.metadata.fetch(:limit, 60) * Support::Garbage::PATIENCE
    Timeout.timeout(limit) { Support::Garbage.troubled { example.run } }
  end

  config.after { @programs&.each(&:kill) }
  config.after { stop_servers }
  config.after { disarm_faults }
  config.after { stop_proxy }
  config.after(:suite) { Support::PostgresServer.stop }
end
