# frozen_string_literal: true

require_relative "../plain"
require_relative "../tasks"
require_relative "../states"

module TaskerCore
  module CLI
    # `tasker stats`: how things go.
    #
    # @api private
    class Stats < Command
      include Tasks

      # How far back without --since, in hours; and how many of the slowest.
      HOURS = 24
      SLOWEST = 5
      private_constant :HOURS, :SLOWEST

      summary "Tells how the database is, and how tasks went lately"
      description <<~TEXT

        Waiting is the time before a task or a step began, running the time from there to its end. WHEN is 90d, 12h or 30m
        (that long ago), a date, or a moment such as 2026-01-31T12:00:00Z.
      TEXT
      example "tasker stats --since 7d --name fulfil_order"

      def declare(parser)
        parser.on("--since WHEN", "what ended since then (default: #{HOURS}h)") do |text|
          options[:since] = Moments.past(text, "--since")
        end
        parser.on("--namespace NAME", "only of these templates") { |name| window[:namespace] = name }
        parser.on("--name NAME", "only of this template") { |name| window[:name] = name }
      end

      def call
        window[:since] = options[:since] || (Time.now - (HOURS * 3_600))
        read
        return terminal.json(record) if options[:json]

        show_health
        show_pauses
        show_templates
        show_slowest
      end

      private

      def window
        options[:window] ||= {}
      end

      def read
        performance = existing_handle.performance
        @health = performance.system_health
        @pauses = handle.paused_queues
        @analytics = performance.analytics(**window)
        @slowest = performance.slowest_steps(**window, limit: SLOWEST)
      end

      def record
        pauses = @pauses.map { |pause| { **pause.to_h, paused_at: pause.paused_at.strftime("%FT%T.%6NZ") } }
        { health: @health.as_json, paused_queues: pauses, analytics: @analytics.as_json,
          slowest_steps: @slowest.map(&:as_json) }
      end

      def show_health
        oldest = @health.oldest_ready_seconds
        rows = { "tasks" => counts,
                 "steps" => "#{@health.ready_steps} ready#{" (the oldest for #{Moments.shown(oldest)})" if oldest}, " \
                            "#{@health.in_backoff} wait for a retry, #{@health.scheduled_steps} for their time",
                 "workers" => "#{@health.workers}, which hold #{counted(@health.leases_held, "step")}; " \
                              "#{@health.leases_expired} were lost",
                 "score" => format("%.3f", @health.score) }
        terminal.table(rows.map { |name, value| [terminal.paint(name, :dim), value] })
      end

      def counts
        tasks = @health.tasks.reject { |_, count| count.zero? }
        words = tasks.map { |status, count| "#{count} #{States.shown(terminal, status.to_s)}" }
        [@health.total_tasks, *(words.join(", ") unless words.empty?)].join(": ")
      end

      def show_pauses
        return if @pauses.empty?

        terminal.say
        terminal.table(@pauses.map do |pause|
          [pause.queue, pause.namespace || "(all)", Moments.time(pause.paused_at), Plain.text(pause.by),
           Plain.text(pause.reason)]
        end, head: ["PAUSED QUEUE", "NAMESPACE", "SINCE", "BY", "WHY"])
      end

      def show_templates
        terminal.say
        return terminal.say("no task ended since #{Moments.time(@analytics.since)}") if @analytics.templates.empty?

        rows = @analytics.templates.map { |template| row(template) }
        head = ["TEMPLATE", "ENDED", "COMPLETE", "ERROR", "WAITING P95", "RUNNING P50", "P95", "MAX"]
        terminal.table(rows, head: head, right: (1..7).to_a)
      end

      def row(template)
        running = template.task_running
        ["#{template.namespace}/#{template.name} #{template.version}", template.ended, template.completed,
         template.failed, Moments.shown(template.task_waiting.p95), *[running.p50, running.p95, running.max].map do |s|
                                                                      Moments.shown(s)
                                                                    end]
      end

      def show_slowest
        return if @slowest.empty?

        terminal.say
        terminal.table(@slowest.map do |step|
          ["#{step.task_id}/#{step.step_name}", step.name, step.status, Moments.shown(step.running_seconds)]
        end, head: ["SLOWEST STEPS", "TEMPLATE", "STATUS", "RUNNING"], right: [3])
      end
    end
  end
end
