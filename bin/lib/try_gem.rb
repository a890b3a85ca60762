# frozen_string_literal: true

# Runs one task through the installed gem: bin/test-package starts it in a folder far from the checkout.

require "tasker_core"

extension = $LOADED_FEATURES.grep(/tasker_core_ruby\./).first
home = File.realpath(ENV.fetch("GEM_HOME"))
abort "The extension came from #{extension.inspect}, not from #{home}" unless extension&.start_with?(home)
abort "What only tests need was compiled in" if TaskerCore::Native.respond_to?(:arm_fault)

require_relative "try_task"
