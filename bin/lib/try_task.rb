# frozen_string_literal: true

# Runs one task through the gem that is at hand, in a database of its own.

require "tasker_core"
require "tmpdir"

Dir.mktmpdir do |folder|
  handle = TaskerCore.open("sqlite://#{folder}/try.sqlite3")
  handle.register({ name: "hello", steps: [{ name: "greet" }] },
                  handlers: { "greet" => ->(ctx) { "hello #{ctx.context["name"]}" } })
  task = handle.create_task("hello", context: { name: "world" })
  handle.work(until: :idle, timeout: 30)
  result = task.reload.step(:greet).result
  handle.close
  abort "The task's result is #{result.inspect}" unless result == "hello world"
  puts "Ruby #{RUBY_VERSION} ran a task: #{result}"
end
