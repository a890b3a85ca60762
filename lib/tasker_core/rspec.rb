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

  config.prepend_before { |example| TaskerCore::Testing.enter_example(example.metadata[:tasker]) }
  config.append_after { |example| TaskerCore::Testing.leave_example(failed: !example.exception.nil?) }
end
