# frozen_string_literal: true

require_relative "moments"
require_relative "plain"
require_relative "reasons"
require_relative "states"

module TaskerCore
  module CLI
    # A task on a terminal: what it is, and its graph with where each step is and why.
    #
    # @api private
    class TaskView
      # How many failed items of lists are shown.
      FAILURES = 10
      private_constant :FAILURES

      # @param terminal [Terminal]
      # @param task [Task]
      # @param steps [Array<Step>]
      # @param reasons [Reasons]
      # @param items [Boolean] whether each item of a list has a line
      def initialize(terminal, task, steps, reasons, items: false)
        @terminal = terminal
        @task = task
        @steps = steps.to_h { |step| [step.name, step] }
        @reasons = reasons
        @items = items
      end

      # @return [void]
      def show
        show_head
        @terminal.say
        show_graph
        show_errors
      end

      private

      def show_head
        title = "#{@task.namespace}/#{@task.name} #{@task.version}"
        @terminal.say("#{@terminal.paint(title, :bold)}  #{States.shown(@terminal, @task.status)}")
        @terminal.table(facts.filter_map { |name, value| [@terminal.paint(name, :dim), Plain.text(value)] if value })
      end

      def facts
        { "id" => @task.id, "key" => @task.key, "tags" => said(@task.tags, ", "),
          "queue" => "#{@task.queue}, priority #{@task.priority}",
          "asked for" => said([@task.initiator && "by #{@task.initiator}", @task.reason].compact, ": "),
          **times, "context" => (shown(@task.context) unless @task.context.empty?) }
      end

      def times
        { "created" => "#{Moments.time(@task.created_at)} (#{Moments.ago(@task.created_at)})",
          "run at" => @task.run_at && Moments.time(@task.run_at),
          "took" => @task.started_at && Moments.shown((@task.finished_at || Time.now) - @task.started_at) }
      end

      def said(words, between)
        words.join(between) unless words.empty?
      end

      # One line of JSON, without what is secret.
      def shown(value)
        text = JSON.generate(Filter.current.apply(value))
        room = [@terminal.width - 12, 40].max
        text.length > room ? "#{text[0, room - 1]}…" : text
      end

      def show_graph
        drawing = Drawing.new(@task.id, @steps.values.map { |step| drawn(step) }, items: @items)
        drawing.rails(ascii: ascii?) => { rows:, has_rails: }
        @width = rows.map { |row| row[:rails].length }.max.to_i
        @names = rows.filter_map { |row| row[:step]&.length }.max.to_i.clamp(4, 40)
        rows.each { |row| @terminal.say(line(row, has_rails)) }
      end

      def drawn(step)
        { name: step.name, depends_on: step.depends_on, status: step.status, item_of: step.item_of }
      end

      def line(row, has_rails)
        step = row[:step] && @steps.fetch(row[:step])
        return @terminal.paint(row[:rails], :dim) unless step

        shown = has_rails ? row : { **row, note: [row[:note], needs(step)].compact.join(", ") }
        "#{rails_of(row, step)}  #{step.name.ljust(@names)}  #{words(step, shown[:note])}".rstrip
      end

      # The mark in the colour of the state.
      def rails_of(row, step)
        before = row[:rails][0, row[:mark]]
        mark = row[:rails][row[:mark]]
        after = row[:rails][row[:mark] + 1..]
        room = " " * (@width - row[:rails].length)
        "#{@terminal.paint(before, :dim)}#{States.paint(@terminal, mark, step.status)}" \
          "#{@terminal.paint(after, :dim)}#{room}"
      end

      def words(step, note)
        note = nil if note.to_s.empty?
        words = [States.shown(@terminal, step.status), took(step), attempts(step), note, @reasons.of(step.name)]
        words.compact.join("  ")
      end

      def took(step)
        return unless step.started_at
        return Moments.shown(step.finished_at - step.started_at) if step.finished_at

        Moments.shown(Time.now - step.started_at) if step.in_progress?
      end

      def attempts(step)
        ["attempt #{step.attempts}", @reasons.retry_limit(step.name)].compact.join(" of ") if step.attempts > 1
      end

      def needs(step)
        "needs #{step.depends_on.join(", ")}" unless step.depends_on.empty?
      end

      def show_errors
        failed = @steps.values.select(&:error)
        failed = failed.reject { |step| step.complete? || step.skipped? }
        failed.first(FAILURES).each { |step| show_error(step) }
        @terminal.say("… and #{failed.size - FAILURES} more with errors") if failed.size > FAILURES
      end

      def show_error(step)
        error = step.error
        @terminal.say
        @terminal.say("#{States.paint(@terminal, step.name, step.status)}: #{Plain.error(error)}")
        Array(error["backtrace"]).first(3).each do |place|
          @terminal.say(@terminal.paint("  #{Plain.text(place)}", :dim))
        end
      end

      def ascii?
        encoding = @terminal.out.respond_to?(:external_encoding) && @terminal.out.external_encoding
        (encoding || Encoding.default_external) != Encoding::UTF_8
      end
    end
  end
end
