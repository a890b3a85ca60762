# frozen_string_literal: true

# Runs the examples one after the other with the same options; bin/demo does so.
#
#   ruby -Ilib examples/all.rb --database sqlite:tmp/demo/tasker.sqlite3

begin
  %w[order_fulfilment stdlib_census].each { |name| load File.expand_path("#{name}.rb", __dir__) }
rescue Interrupt
  warn "\nStopped. Start it again, and it goes on from here."
  exit 130
end
