# frozen_string_literal: true

require_relative "../tasks"
require_relative "../watching"

module TaskerCore
  module CLI
    # `tasker watch`: follows a task until it ends.
    #
    # @api private
    class Watch < Command
      include Tasks

      summary "Follows a task until it ends"
      description <<~TEXT

        On a terminal with a bar for the task and one for each list, elsewhere with a line for each change of state and
        one every five seconds. Exit code 0 when the task is complete or was resolved by hand, 1 when it ended otherwise
        or the time was over.
      TEXT
      example "tasker watch 0197c8a1-6f2e-7c3d-9b1e-0123456789ab --timeout 10m"

      def declare(parser)
        parser.on("--timeout SPAN", "for no longer than that: 90s, 30m, 2h") do |text|
          options[:timeout] = Moments.span(text, "--timeout")
        end
        parser.on("--interval SPAN", "how often it looks (default: 0.5s)") do |text|
          options[:interval] = Moments.span(text, "--interval")
        end
      end

      def call(id)
        task = find(id)
        watching = Watching.new(terminal, handle, interval: options.fetch(:interval, 0.5), json: options[:json])
        ended = watching.follow(task, timeout: options[:timeout])
        terminal.say("#{ended.id} #{States.shown(terminal, ended.status)}") unless options[:json]
        outcome(ended)
      end
    end
  end
end
