# frozen_string_literal: true

module Support
  # Small workflows for examples that are about something else.
  module Workflows
    # An anonymous workflow class; the block is its body.
    def workflow(name = "flow", &)
      Class.new(TaskerCore::Workflow) do
        task_name name
        class_eval(&)
      end
    end

    # A workflow of one step, `only`.
    def single(name = "flow", **options, &)
      workflow(name) { step(:only, **options, &) }
    end

    # Registers the workflow, creates a task and works until nothing is left to do; the ended task.
    def run_task(flow, context: {}, threads: 5, within: 30, **options)
      handle.register(flow)
      task = handle.create_task(flow, context: context, **options)
      handle.work(until: :idle, threads: threads, timeout: within)
      task.reload
    end

    # The error that the block raises; fails when it raises none.
    def error_of
      yield
    rescue Exception => e # rubocop:disable Lint/RescueException -- what is raised is what is looked at
      e
    else
      raise RSpec::Expectations::ExpectationNotMetError, "nothing was raised"
    end

    def journal
      @journal ||= Support::Journal.new
    end

    def gate
      @gate ||= Support::Gate.new
    end
  end
end
