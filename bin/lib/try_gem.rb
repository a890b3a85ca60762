# frozen_string_literal: true

# Runs one task through the installed gem: bin/test-package starts it in a folder far from the checkout.

require "tasker_core"

extension = $LOADED_FEATURES.grep(/tasker_core_ruby\./).first
home = File.realpath(ENV.fetch("GEM_HOME"))
abort "The extension came from #{extension.inspect}, not from #{home}" unless extension&.start_with?(home)
abort "What only tests need was compiled in" if TaskerCore::Native.respond_to?(:arm_fault)

handle = TaskerCore.open("sqlite:try.sqlite3")
handle.register({ name: "hello", steps: [{ name: "greet" }] },
                handlers: { "greet" => ->(ctx) { "hello #{ctx.context["name"]}" } })
task = handle.create_task("hello", context: { name: "world" })
handle.work(until: :idle, timeout: 30)
result = task.reload.step(:greet).result
handle.close
abort "The task's result is #{result.inspect}" unless result == "hello world"
puts "The installed gem ran a task: #{result}"
