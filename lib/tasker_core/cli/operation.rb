# frozen_string_literal: true

require "etc"
require_relative "progress"
require_relative "tasks"
require_relative "states"

module TaskerCore
  module CLI
    # What `cancel`, `pause`, `resume` and `retry` have in common: one task, several, or all that match conditions.
    # A subclass is named for the handle's operation.
    #
    # @api private
    class Operation < Command
      include Tasks

      HELP = <<~TEXT

        Each of IDS is a task's id, or its first eight digits or more where no other task's begins with them. Several
        tasks, or conditions instead of ids, are asked about first; --yes says so, --dry-run only tells which they are.
        Tasks in a state that it is not for are passed over. WHEN is 90d, 12h or 30m (that long ago), a date, or a moment
        such as 2026-01-31T12:00:00Z.
      TEXT
      # How many operations are under way at a time: no more than a pool has connections.
      AT_ONCE = 4
      private_constant :HELP, :AT_ONCE

      class << self
        # @param text [String] what became of tasks
        # @return [String]
        def done(text = nil)
          text ? @done = text : @done
        end
      end

      def declare(parser)
        parser.on("--by NAME", "who does it, for the history (default: #{login})") { |name| options[:by] = name }
        parser.on("--reason TEXT", "why, for the history") { |text| options[:reason] = text }
        parser.on("-y", "--yes", "doesn't ask") { options[:yes] = true }
        parser.on("--dry-run", "only tells which tasks they are") { options[:dry_run] = true }
        declare_filter(parser)
      end

      def call(*ids)
        return every(ids) unless ids.empty?
        return matching unless filter.empty?

        wrong("name tasks by their ids, or conditions such as --status error")
      end

      private

      def name = self.class.command_name
      def done = self.class.done
      def note = { by: options.fetch(:by) { login }, reason: options[:reason] }
      def login = Etc.getlogin || Etc.getpwuid&.name

      def every(ids)
        wrong("takes ids or conditions, not both") unless filter.empty?
        found = ids.map { |id| find(id) }.uniq(&:id)
        return tell_which(found.map(&:id)) if options[:dry_run]

        confirm("#{name.capitalize} #{tasks(found.size)}?") if found.size > 1
        results = found.map { |task| attempt(task) }
        results.all? ? 0 : FAILED
      end

      # Whether it was done. One that is refused does not keep the others from it.
      def attempt(task)
        moved = operate(task)
        if options[:json]
          terminal.json(moved.as_json)
        else
          terminal.say("#{task.id} #{States.shown(terminal,
                                                  moved.status)}")
        end
        true
      rescue StateTransitionError, NotFoundError => e
        terminal.complain("#{task.id}: #{e.message}")
        false
      end

      def operate(task) = task.public_send(name, **note)

      # Those that were shown to match and asked about, and no others that match by now.
      def matching
        ids = existing_handle.public_send(:"#{name}_tasks", dry_run: true, **filter).task_ids
        return tell_which(ids) if options[:dry_run]

        confirm("#{name.capitalize} #{tasks(ids.size)}?") unless ids.empty?
        tell(ids, carry_out(ids))
      end

      # By id, those that moved on meanwhile, with the reason.
      def carry_out(ids)
        refused = {}
        progress = Progress.new(terminal)
        at_once(ids) do |id, number, why|
          refused[id] = why if why
          said = "#{number} of #{ids.size} #{done}"
          progress.show(["#{Progress.bar(number.fdiv(ids.size))} #{said}"], said)
        end
        refused
      ensure
        progress&.wipe
      end

      # Several at once, which share commits. The block is called with one after the other.
      def at_once(ids)
        waiting = Queue.new(ids).close
        number = 0
        telling = Mutex.new
        threads = Array.new(AT_ONCE) do
          Thread.new do
            Thread.current.report_on_exception = false
            while (id = waiting.pop)
              why = refusal(id)
              telling.synchronize { yield id, number += 1, why }
            end
          end
        end
        threads.each(&:value)
      ensure
        waiting.clear
      end

      # Carries out the operation; why it was not allowed, where it was not.
      def refusal(id)
        operate(existing_handle.task(id)) && nil
      rescue StateTransitionError, NotFoundError => e
        e.message
      end

      def tell_which(ids)
        ids.each { |id| options[:json] ? terminal.json({ id: id }) : terminal.say(id) }
        terminal.hint("#{tasks(ids.size)} would be #{done}")
      end

      def tell(ids, refused)
        refused.each { |id, why| terminal.complain("#{id}: #{why}") }
        moved = ids - refused.keys
        if options[:json]
          terminal.json({ count: moved.size, task_ids: moved, refused: refused })
        else
          terminal.say("#{tasks(moved.size)} #{done}")
        end
        refused.empty? ? 0 : FAILED
      end
    end
  end
end
