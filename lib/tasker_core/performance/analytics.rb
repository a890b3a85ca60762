# frozen_string_literal: true

module TaskerCore
  class Performance
    # How the tasks of a window ended and how long they and their steps took; frozen. A task belongs to the window in
    # which it ended, and its steps with it. See {Performance#analytics}.
    #
    # *Running* is, of a step, the time from the begin of its last attempt to its end; of a task, from its first claim
    # to its end. *Waiting* is the time before: of a step, since it might have begun (when the last of those it needs
    # had ended; for a first one, its task's creation or `run_at`), of a task since its creation or `run_at`. Earlier
    # attempts and the backoff after them count as waiting. Steps that never ran, skipped ones say, count nothing.
    #
    # @!attribute [r] since
    #   @return [Time] from when on, in UTC
    # @!attribute [r] until
    #   @return [Time] until when: now, by the database's clock
    # @!attribute [r] ended
    #   @return [Integer] tasks that ended
    # @!attribute [r] completed
    #   @return [Integer] those of them that are complete or resolved by hand
    # @!attribute [r] failed
    #   @return [Integer] those of them that are in error
    # @!attribute [r] cancelled
    #   @return [Integer] those of them that were cancelled
    # @!attribute [r] completion_rate
    #   @return [Float, nil] 0.0 to 1.0: `completed / ended`; nil when none ended
    # @!attribute [r] error_rate
    #   @return [Float, nil] 0.0 to 1.0: `failed / ended`; nil when none ended
    # @!attribute [r] throughput
    #   @return [Float] tasks that ended, a second
    # @!attribute [r] step_throughput
    #   @return [Float] steps of those tasks that ran to their end, a second
    # @!attribute [r] task_running
    #   @return [Durations]
    # @!attribute [r] task_waiting
    #   @return [Durations]
    # @!attribute [r] step_running
    #   @return [Durations]
    # @!attribute [r] step_waiting
    #   @return [Durations]
    # @!attribute [r] templates
    #   @return [Array<TemplateAnalytics>] the same for each template version of which tasks ended, by name
    class Analytics < Report
      # What is said of all tasks and of those of each template.
      OUTCOMES = %i[ended completed failed cancelled completion_rate error_rate throughput step_throughput task_running
                    task_waiting step_running step_waiting].freeze
      # The names of the fields.
      FIELDS = [:since, :until, *OUTCOMES, :templates].freeze
      reads FIELDS

      # @api private
      def self.of(values)
        templates = values[:templates].map { |template| TemplateAnalytics.of(template) }
        new({ since: values[:since], until: values[:until], **outcomes(values), templates: templates.freeze })
      end

      # @api private
      def self.outcomes(values)
        values[:outcomes].transform_values { |value| value.is_a?(Hash) ? Durations.of(value) : value }
      end

      private

      def summary = "since #{since.strftime("%FT%TZ")}, ended: #{ended}, failed: #{failed}"
    end

    # How the tasks of one template version ended and took; frozen. See {Analytics} for what running and waiting are.
    #
    # @!attribute [r] namespace
    #   @return [String]
    # @!attribute [r] name
    #   @return [String]
    # @!attribute [r] version
    #   @return [String]
    # @!attribute [r] ended
    #   @return [Integer] tasks that ended
    # @!attribute [r] completed
    #   @return [Integer] those of them that are complete or resolved by hand
    # @!attribute [r] failed
    #   @return [Integer] those of them that are in error
    # @!attribute [r] cancelled
    #   @return [Integer] those of them that were cancelled
    # @!attribute [r] completion_rate
    #   @return [Float, nil] 0.0 to 1.0: `completed / ended`; nil when none ended
    # @!attribute [r] error_rate
    #   @return [Float, nil] 0.0 to 1.0: `failed / ended`; nil when none ended
    # @!attribute [r] throughput
    #   @return [Float] tasks that ended, a second
    # @!attribute [r] step_throughput
    #   @return [Float] steps of those tasks that ran to their end, a second
    # @!attribute [r] task_running
    #   @return [Durations]
    # @!attribute [r] task_waiting
    #   @return [Durations]
    # @!attribute [r] step_running
    #   @return [Durations]
    # @!attribute [r] step_waiting
    #   @return [Durations]
    # @!attribute [r] steps
    #   @return [Array<StepAnalytics>] of its steps that ran, in the order of the template
    class TemplateAnalytics < Report
      # The names of the fields.
      FIELDS = [:namespace, :name, :version, *Analytics::OUTCOMES, :steps].freeze
      reads FIELDS

      # @api private
      def self.of(values)
        steps = values[:by_step].map { |step| StepAnalytics.of(step) }
        new({ **values.slice(:namespace, :name, :version), **Analytics.outcomes(values), steps: steps.freeze })
      end

      private

      def summary = "#{namespace}/#{name} #{version}, ended: #{ended}, failed: #{failed}"
    end

    # How the steps of one name took; frozen. See {Analytics} for what running and waiting are.
    #
    # @!attribute [r] name
    #   @return [String] the step's; `parcel[]` stands for the items of the list of `parcel`
    # @!attribute [r] completed
    #   @return [Integer] how many are complete
    # @!attribute [r] failed
    #   @return [Integer] how many are in error
    # @!attribute [r] attempts
    #   @return [Integer] how many attempts they took together
    # @!attribute [r] running
    #   @return [Durations]
    # @!attribute [r] waiting
    #   @return [Durations]
    class StepAnalytics < Report
      # The names of the fields.
      FIELDS = %i[name completed failed attempts running waiting].freeze
      reads FIELDS

      # @api private
      def self.of(values)
        new({ **values, running: Durations.of(values[:running]), waiting: Durations.of(values[:waiting]) })
      end

      private

      def summary = "#{name}, completed: #{completed}, failed: #{failed}, p95: #{running.p95.inspect} s"
    end
  end
end
