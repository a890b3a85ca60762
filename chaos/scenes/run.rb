# frozen_string_literal: true

# Faults at every point on one database; bin/faults starts it.
#
#   ruby -Ilib chaos/scenes/run.rb --database URL --seed N [--point NAME ...]

require "fileutils"
require "logger"
require "optparse"
require "tasker_core"
require_relative "../databases"
require_relative "stage"

options = {}
OptionParser.new do |parser|
  parser.on("--database URL") { |url| options[:url] = url }
  parser.on("--seed N", Integer) { |number| options[:seed] = number }
  parser.on("--point NAME") { |name| (options[:points] ||= []) << name }
end.parse!

TaskerCore.configure { |c| c.logger = Logger.new(File::NULL) }
database = Chaos.database(options[:url], nil)
kind = database.kind
folder = options[:folder] = File.expand_path("../../tmp/chaos/faults-#{kind}-#{options[:seed]}", __dir__)
FileUtils.rm_rf(folder)
FileUtils.mkdir_p(folder)

stage = Chaos::Scenes::Stage.new(database, options)
ok = stage.run { |scene| puts "#{kind.ljust(9)} #{scene}" }
lines = stage.figures.map do |name, number|
  format("%<kind>-9s %<name>-32s %<number>8d", kind: kind, name: name, number: number)
end
puts lines
exit if ok

database.keep(folder)
points = options.fetch(:points, []).map { |name| " --point #{name}" }.join
puts stage.complaints, "What it left is in #{folder}. Again:",
     "  bin/faults --database #{kind} --seed #{options[:seed]}#{points}"
exit 1
