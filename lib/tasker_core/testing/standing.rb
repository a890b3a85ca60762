# frozen_string_literal: true

module TaskerCore
  module Testing
    # Where a task stands that has not ended: what each of its steps waits for.
    #
    # @api private
    class Standing
      DONE = %w[complete skipped resolved_manually].freeze
      OPEN = %w[pending in_progress waiting_for_retry].freeze
      LEFT_ALONE = "is ready and nobody takes it: is its template registered on this handle, and its queue not paused?"
      private_constant :DONE, :OPEN, :LEFT_ALONE

      # @param now [Time] by the database's clock
      def initialize(task, now)
        @task = task
        @now = now
        @steps = task.steps
        @items = @steps.group_by { |step| step.name[/\A(.+)\[\d+\]\z/m, 1] }
        @done = @steps.select { |step| DONE.include?(step.status) }.to_h { |step| [step.name, true] }
      end

      # @return [Float, nil] seconds until something may go on: 0 when it may now, nil when nothing will by itself
      def wait
        return 0.0 if @steps.any?(&:in_progress?)

        due = @steps.filter_map { |step| due_at(step) }.min
        due && [due - @now, 0.0].max
      end

      def to_s
        @steps.select { |step| OPEN.include?(step.status) }.map { |step| "#{step.name} #{word_of(step)}" }.join("; ")
      end

      private

      # When a step that waits for no other may run.
      def due_at(step)
        return step.next_retry_at if step.waiting_for_retry?
        return unless step.pending? && missing(step).empty?

        @task.run_at || @now
      end

      # A step that has made a list needs those of its items, too: the rest of its name tells which they are, and that
      # they need what it needs.
      def missing(step)
        items = @items.fetch(step.name, []).select { |item| item.depends_on == step.depends_on }
        (step.depends_on + items.map(&:name)).reject { |parent| @done[parent] }
      end

      def word_of(step)
        return "is in the hands of a worker since its last claim, attempt #{step.attempts}" if step.in_progress?
        return "needs #{missing(step).join(", ")}" unless missing(step).empty?
        return LEFT_ALONE if due_at(step) <= @now

        why = step.waiting_for_retry? ? "waits for attempt #{step.attempts + 1}" : "waits for the task's run_at"
        format("%<why>s, in %<seconds>.1f s", why: why, seconds: due_at(step) - @now)
      end
    end
  end
end
