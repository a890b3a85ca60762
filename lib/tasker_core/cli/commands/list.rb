# frozen_string_literal: true

require_relative "../plain"
require_relative "../tasks"
require_relative "../states"

module TaskerCore
  module CLI
    # `tasker list`: the tasks that match.
    #
    # @api private
    class List < Command
      include Tasks

      # How many without --limit.
      LIMIT = 20
      private_constant :LIMIT

      summary "Lists tasks, the newest first"
      description <<~TEXT

        WHEN is 90d, 12h or 30m (that long ago), a date, or a moment such as 2026-01-31T12:00:00Z.
      TEXT
      example "tasker list --status error --created-after 1d"
      example "tasker list --name fulfil_order --context customer.id=7 --json"

      def declare(parser)
        declare_filter(parser)
        parser.on("-n", "--limit N", Integer, "at most so many (default: #{LIMIT})") do |number|
          options[:limit] = within(1..1_000_000_000, number, "--limit")
        end
        parser.on("--all", "without a limit") { options[:all] = true }
        parser.on("--count", "only how many there are") { options[:count] = true }
      end

      def call
        return tell_count if options[:count]
        return found.each { |task| terminal.json(task.as_json) } if options[:json]

        show(found(1).to_a)
      end

      private

      def limit = options.fetch(:limit, LIMIT)

      # What is asked for, and a few more.
      def found(more = 0)
        tasks = existing_handle.tasks(**filter)
        options[:all] ? tasks : tasks.first(limit + more)
      end

      def tell_count
        count = existing_handle.tasks(**filter).count
        options[:json] ? terminal.json({ count: count }) : terminal.say(count.to_s)
      end

      def show(tasks)
        more = !options[:all] && tasks.size > limit
        tasks = tasks.first(limit) if more
        return terminal.hint("no task matches") if tasks.empty?

        terminal.table(tasks.map { |task| row(task) }, head: %w[ID TEMPLATE STATUS CREATED TOOK ABOUT])
        terminal.hint("there are more: --limit or --all shows them") if more
      end

      def row(task)
        [task.id, "#{task.namespace}/#{task.name} #{task.version}", States.shown(terminal, task.status),
         Moments.time(task.created_at), took(task), about(task)]
      end

      def took(task)
        Moments.shown((task.finished_at || Time.now) - task.started_at) if task.started_at
      end

      def about(task)
        error = task.error
        words = [task.key, *task.tags.map { |tag| "##{tag}" }]
        words << "#{error["step"]}: #{error["message"]}" if error
        Plain.text(words.compact.join(" "))[0, 60]
      end
    end
  end
end
