# frozen_string_literal: true

module TaskerCore
  module Testing
    # A task's graph as text, with what became of every step, for those who read why an example failed.
    #
    # @api private
    class Picture
      MOST = 120
      ITEMS = 5
      private_constant :MOST, :ITEMS

      def initialize(task, steps)
        @task = task
        @steps = steps
      end

      def to_s
        drawn = @steps.map do |step|
          { name: step.name, depends_on: step.depends_on, status: step.status, note: note(step),
            item_of: step.item_of }
        end
        "#{@task.namespace}/#{@task.name} #{@task.version}, task #{@task.id}: #{@task.status}\n\n" \
          "#{Drawing.new(@task.name, drawn).text}#{failed_items}"
      end

      private

      def note(step)
        attempts = "attempt #{step.attempts}" if step.attempts > 1
        outcome = Filter.current.apply(step.result).inspect if step.complete?
        outcome ||= error(step) if step.error
        [attempts, outcome && short(outcome)].compact.join(": ") if attempts || outcome
      end

      def error(step) = "#{step.error["class"]}: #{step.error["message"]}"

      # The items of a list stand in the graph as one step.
      def failed_items
        failed = @steps.select { |step| step.item_of && step.error? }
        lines = failed.first(ITEMS).map { |step| "#{step.name}: #{short(error(step))}\n" }
        lines << "and #{failed.size - ITEMS} more items in error\n" if failed.size > ITEMS
        "\n#{lines.join}" unless lines.empty?
      end

      def short(text)
        line = text.lines.first.to_s.chomp
        line.size > MOST ? "#{line[0, MOST]}…" : line
      end
    end
  end
end
