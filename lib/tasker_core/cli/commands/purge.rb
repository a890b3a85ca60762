# frozen_string_literal: true

require_relative "../tasks"
require_relative "../progress"

module TaskerCore
  module CLI
    # `tasker purge`: deletes tasks that ended long ago.
    #
    # @api private
    class Purge < Command
      include Tasks

      summary "Deletes tasks that ended long ago"
      description <<~TEXT

        With their steps, results and histories, in small transactions that hold nobody up. Tasks that have not ended stay.
      TEXT
      example "tasker purge --older-than 90d --yes"
      example "tasker purge --older-than 2026-01-31 --dry-run"

      def declare(parser)
        parser.on("--older-than WHEN", "those that ended before: 90d or 12h ago, a date, or a moment") do |text|
          options[:before] = Moments.past(text, "--older-than")
        end
        parser.on("--batch N", Integer, "how many one transaction deletes at the most (default: 1000)") do |number|
          options[:batch] = within(1..10_000, number, "--batch")
        end
        parser.on("-y", "--yes", "doesn't ask") { options[:yes] = true }
        parser.on("--dry-run", "only tells how many they are") { options[:dry_run] = true }
      end

      def call
        before = options[:before] or wrong("--older-than is missing")
        count = existing_handle.tasks(finished_before: before).count
        return tell(count, "would be deleted") if options[:dry_run]
        return tell(0, "deleted") if count.zero?

        confirm("Delete #{tasks(count)} that ended before #{Moments.time(before)}?")
        tell(purge(before, count), "deleted")
      end

      private

      def purge(before, count)
        progress = Progress.new(terminal)
        batch = options[:batch] ? { batch: options[:batch] } : {}
        handle.purge(finished_before: before, **batch) do |deleted|
          said = "#{deleted} of #{count} deleted"
          progress.show(["#{Progress.bar(deleted.fdiv(count))} #{said}"], said)
        end
      ensure
        progress&.wipe
      end

      def tell(count, words)
        return terminal.say("#{tasks(count)} #{words}") unless options[:json]

        terminal.json({ words.start_with?("would") ? :would_delete : :deleted => count })
      end
    end
  end
end
