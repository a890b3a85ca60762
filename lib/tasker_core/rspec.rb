# frozen_string_literal: true

require "rspec/core"
require "rspec/expectations"
require_relative "testing"
require_relative "testing/matchers"
require_relative "testing/crash_examples"

RSpec.configure do |config|
  config.include TaskerCore::Testing::Matchers
  config.extend TaskerCore::Testing::CrashExamples

  config.backtrace_exclusion_patterns << %r{/tasker_core/testing/}

  # Around all that is around an example otherwise, where this is required first.
  config.around do |example|
    TaskerCore::Testing.enter_example(example.metadata[:tasker])
    example.run
  ensure
    TaskerCore::Testing.leave_example(failed: !example.exception.nil?)
  end
end
