# frozen_string_literal: true

# Fills the queue: so many plain jobs, or first jobs of diamonds, a thousand at a time.
#
#   ruby push.rb plain|joined COUNT

require_relative "jobs"

kind = { "plain" => Plain, "joined" => Fork }.fetch(ARGV[0])
(1..Integer(ARGV[1])).each_slice(1_000) do |numbers|
  Sidekiq::Client.push_bulk("class" => kind, "args" => numbers.map { |number| [number] })
end
