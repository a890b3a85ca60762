# frozen_string_literal: true

# The storm on one database; bin/chaos starts it.
#
#   ruby -Ilib chaos/run.rb --database URL --seed N [--seconds N] [--kills N] [--workers N] [--tasks N] [--replay FILE]

require "fileutils"
require "optparse"
require "tasker_core"
require_relative "controller"

options = { seconds: 45, kills: 100, workers: 4 }
OptionParser.new do |parser|
  parser.on("--database URL") { |url| options[:url] = url }
  parser.on("--replay FILE") { |path| options[:replay] = path }
  %i[seed seconds kills workers tasks].each do |name|
    parser.on("--#{name} N", Integer) { |number| options[name] = number }
  end
end.parse!
options[:tasks] ||= options[:seconds] * 6

TaskerCore.configure { |c| c.logger = Logger.new(File::NULL) }
database = Chaos.database(options[:url], ENV.fetch("CHAOS_POSTGRES", nil))
kind = database.kind
folder = options[:folder] = File.expand_path("../tmp/chaos/#{kind}-#{options[:seed]}", __dir__)
faults = Chaos::Schedule.read(options[:replay]) if options[:replay]
faults ||= Chaos::Schedule.draw(options[:seed], kind, **options.slice(:kills, :seconds, :workers))
FileUtils.rm_rf(folder)
FileUtils.mkdir_p(folder)
schedule = "#{folder}/schedule.jsonl"
Chaos::Schedule.write(schedule, faults)
puts "#{kind}: seed #{options[:seed]}, #{faults.size} faults, #{options[:tasks]} tasks"

controller = Chaos::Controller.new(database, faults, options)
ok = controller.run
lines = controller.figures.map do |name, number|
  format("%<kind>-9s %<name>-32s %<number>8d", kind: kind, name: name, number: number)
end
puts lines
exit if ok

database.keep(folder)
puts controller.complaints, "What it left is in #{folder}. Again:",
     "  bin/chaos --database #{kind} --seed #{options[:seed]} --workers #{options[:workers]} " \
     "--tasks #{options[:tasks]} --replay #{schedule}"
exit 1
