# frozen_string_literal: true

# Prints how many bytes each kept task, or parsed Hash of one, takes. bench/ffi/memory.rb starts it.

require "json"
require "tasker_core"
require_relative "sizes"
require_relative "../support/retained"

kind, size, count = ARGV
world = Bench::FFI::World.new
task = world.tasks.fetch(size)
make = case kind
       when "task" then -> { task.reload }
       when "hash" then -> { JSON.parse(task.reload.to_json) }
       end
# What only the first need is there before the count begins.
200.times { make.call }
puts Bench::Retained.bytes(Integer(count)) { make.call }
