# frozen_string_literal: true

# The process in which faults happen. It is told of each on a line of its standard input, runs a round of work
# during which it happens, and says on standard output what it saw. It ends when its input does, or of a fault.
#
#   ruby -Ilib chaos/scenes/armed.rb URL FOLDER QUEUE

require "json"
require "logger"
require "tasker_core"
require_relative "round"

url, folder, queue = ARGV
TaskerCore.configure { |c| c.logger = Logger.new($stderr, level: Logger::WARN) }
$stdout.sync = true
while (line = $stdin.gets)
  round = Chaos::Scenes::Round.new(url, folder, queue, JSON.parse(line))
  puts JSON.generate(round.run)
end
