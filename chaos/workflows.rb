# frozen_string_literal: true

require "digest"
require "tasker_core"

module Chaos
  # What runs in the storm. A step's result names the run that made it and is, but for that, a function of the task, the
  # step, the attempt and the parents' results: whoever reads it can tell whether it is right, and whose it is.
  class Workflows
    WIDTH = 50
    # So many that no outage uses them up: an attempt that a fault broke is no crash, and counts.
    RETRY_LIMIT = 50
    # How a process ends that a handler ended.
    EXIT = 77
    DIAMOND = { top: [], left: [:top], right: [:top], bottom: %i[left right] }.freeze
    CHAIN = { a: [], b: [:a], c: [:b], d: [:c], e: [:d] }.freeze
    PARTS = Array.new(WIDTH) { |n| :"part#{n}" }.freeze
    FAN = { split: [], **PARTS.to_h { |part| [part, [:split]] }, join: PARTS }.freeze
    GRAPHS = { "chain" => CHAIN, "diamond" => DIAMOND, "fan" => FAN, "flaky" => DIAMOND, "slow" => DIAMOND,
               "deadly" => CHAIN }.freeze
    # Which template the tasks have, in turn: a fan among every twenty.
    TURN = [*(%w[chain diamond flaky slow diamond deadly flaky chain slow diamond] * 2).first(19), "fan"].freeze

    def self.template_of(number) = TURN[number % TURN.size]

    # What the result has to be, without the run that made it.
    def self.value(task, step, attempt, parents)
      Digest::SHA256.hexdigest(JSON.generate([task, step, attempt, parents.sort]))[0, 16]
    end

    # @param journal [Journal]
    def initialize(journal)
      @journal = journal
    end

    def register(handle)
      GRAPHS.each { |name, graph| handle.register(template(name, graph)) }
    end

    private

    def template(name, graph)
      steps = graph.map { |step, parents| { name: step, depends_on: parents, handler: method(:run) } }
      { name: name, defaults: { retry_limit: RETRY_LIMIT, backoff: "none" }, steps: steps }
    end

    def run(ctx)
      run = @journal.begun(ctx)
      act(ctx)
      value = "#{Workflows.value(ctx.task_id, ctx.step_name, ctx.attempt, ctx.results)}@#{run}"
      @journal.ended(run, value)
      value
    end

    def act(ctx)
      case ctx.task_name
      when "slow" then sleep((50 + drawn(ctx, 250)) / 1000.0)
      when "fan" then sleep(drawn(ctx, 10) / 1000.0)
      when "flaky" then raise "as was to be" if ctx.attempt <= drawn(ctx, 4)
      when "deadly" then perish(ctx)
      end
    end

    # Takes the process with it, as often as was drawn: once or twice, if at all. A crash is no attempt; how many there
    # were stands in the checkpoint.
    def perish(ctx)
      deaths = (ctx.checkpoint || 0) + 1
      return if deaths > [0, 0, 0, 0, 0, 0, 1, 2][drawn(ctx, 8)]

      ctx.checkpoint = deaths
      Process.exit!(EXIT)
    rescue TaskerCore::DatabaseError => e
      raise TaskerCore::RetryableError, e.message
    end

    # The same number below `bound` for every run of the step.
    def drawn(ctx, bound)
      Digest::SHA256.hexdigest(JSON.generate([*ctx.context.values_at("seed", "number"), ctx.step_name])).hex % bound
    end
  end
end
