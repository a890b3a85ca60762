# frozen_string_literal: true

require_relative "moments"
require_relative "progress"
require_relative "states"

module TaskerCore
  module CLI
    # Follows a task to its end and says how far it is: in all, and for each list that it makes.
    #
    # @api private
    class Watching
      ITEM = /\A(.+)\[\d+\]\z/
      DONE = %w[complete skipped resolved_manually].freeze
      # How many lists have a bar.
      LISTS = 6
      private_constant :ITEM, :DONE, :LISTS

      # @param terminal [Terminal]
      # @param handle [OrchestrationHandle]
      # @param interval [Float] seconds between looks
      # @param json [Boolean] whether each change is a line for programs
      # @param stream [IO] where it is said
      def initialize(terminal, handle, interval:, json: false, stream: terminal.out)
        @terminal = terminal
        @handle = handle
        @interval = interval
        @json = json
        @progress = Progress.new(terminal, stream)
      end

      # @param task [Task]
      # @param timeout [Float, nil] seconds
      # @return [Task] as it ended
      # @raise [Failed] when the time is over first
      def follow(task, timeout: nil)
        begun = Waiting.monotonic
        loop do
          look = Waiting.monotonic
          task = task.reload
          tell(task)
          return finish(task) if task.ended?

          left = timeout && (timeout - (Waiting.monotonic - begun))
          late(task, timeout) if left && left <= 0
          # A look at a task of ten thousand steps takes a while: nine tenths of the time belong to others.
          sleep([[@interval, 9 * (Waiting.monotonic - look)].max, left].compact.min)
        end
      end

      private

      def tell(task)
        steps = @handle.performance.viable_steps(task.id).steps
        now = [task.status, steps.map(&:status).tally]
        changed = now != @before
        @before = now
        return (record(task, now.last) if changed) if @json

        @progress.show(lines(task, steps), plain(task, steps), now: changed && now.first != @status)
        @status = now.first
      end

      def record(task, counts)
        @terminal.json({ id: task.id, status: task.status, steps: counts })
        @terminal.out.flush
      end

      def finish(task)
        @progress.wipe unless @json
        task
      end

      def late(task, timeout)
        finish(task)
        raise Failed, "the task #{task.id} is #{task.status} after #{Moments.shown(timeout)}"
      end

      def plain(task, steps)
        "#{Moments.time(Time.now)} #{task.status} #{counted(steps)}"
      end

      def lines(task, steps)
        head = "#{Progress.bar(part(steps))} #{States.shown(@terminal, task.status)} #{counted(steps)} #{elapsed(task)}"
        [head, *lists(steps)]
      end

      def elapsed(task) = task.started_at ? Moments.shown(Time.now - task.started_at) : "not started"

      def part(steps) = steps.empty? ? 0.0 : steps.count { |step| DONE.include?(step.status) }.fdiv(steps.size)

      def counted(steps)
        counts = steps.map(&:status).tally
        done = counts.values_at(*DONE).compact.sum
        words = ["#{done}/#{steps.size} steps done"]
        { "in_progress" => "running", "waiting_for_retry" => "to be retried",
          "error" => "in error" }.each do |state, word|
          words << "#{counts[state]} #{word}" if counts[state]
        end
        words.join(", ")
      end

      # A bar for each list.
      def lists(steps)
        groups = steps.group_by { |step| step.name[ITEM, 1] }
        groups.delete(nil)
        groups.first(LISTS).map do |name, items|
          "#{Progress.bar(part(items))} #{name}: #{counted(items).sub("steps", "items")}"
        end
      end
    end
  end
end
