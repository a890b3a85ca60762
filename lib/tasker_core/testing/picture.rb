# frozen_string_literal: true

module TaskerCore
  module Testing
    # A task's graph as text, with the state of every step, for those who read why an example failed.
    #
    # @api private
    class Picture
      MOST = 120
      ITEMS = 5
      ITEM = /\A(.+)\[\d+\]\z/m
      private_constant :MOST, :ITEMS, :ITEM

      def initialize(task, steps)
        @task = task
        @steps = steps
      end

      def to_s
        head = "#{@task.namespace}/#{@task.name} #{@task.version}, task #{@task.id}: #{@task.status}"
        width = shown.map { |step| edges(step).size }.max.to_i
        [head, *shown.map { |step| "  #{edges(step).ljust(width)}  #{state(step)}" }, *rest].join("\n")
      end

      private

      # Items stand below the step that is done for each of them; of a long list, the first ones.
      def shown
        @shown ||= begin
          items = @steps.group_by { |step| step.name[ITEM, 1] }
          items.delete(nil).flat_map { |step| [step, *items[step.name]&.first(ITEMS)] }
        end
      end

      def rest
        hidden = (@steps - shown).group_by(&:status).transform_values(&:size)
        hidden.empty? ? [] : ["  (and of further items: #{hidden.map { |status, n| "#{n} #{status}" }.join(", ")})"]
      end

      def edges(step)
        step.depends_on.empty? ? step.name : "#{step.name} <- #{step.depends_on.join(", ")}"
      end

      def state(step)
        attempts = " (attempt #{step.attempts})" if step.attempts > 1 || step.waiting_for_retry?
        "#{step.status}#{attempts}#{outcome(step)}"
      end

      def outcome(step)
        return " #{short(Filter.current.apply(step.result).inspect)}" if step.complete?

        " #{step.error["class"]}: #{short(step.error["message"].to_s.lines.first.to_s.chomp)}" if step.error
      end

      def short(text) = text.size > MOST ? "#{text[0, MOST]}…" : text
    end
  end
end
