# frozen_string_literal: true

require "active_support"
require "active_support/notifications"

# What runs around attempts, and what travels with tasks.
RSpec.describe "Around attempts" do
  around do |example|
    before = TaskerCore.configuration
    own = TaskerCore::Configuration.new.tap { |c| c.logger = Logger.new(File::NULL) }
    TaskerCore.instance_variable_set(:@configuration, own)
    example.run
  ensure
    TaskerCore.instance_variable_set(:@configuration, before)
  end

  let(:seen) { Queue.new }

  def configure(&) = TaskerCore.configure(&)
  def seen_so_far = Array.new(seen.size) { seen.pop }

  each_database do
    it "are called in their order, in the handler's thread, for each attempt, with its context" do
      configure do |c|
        %w[outer inner].each do |name|
          c.around_attempt do |ctx, attempt|
            seen << [name, ctx.step_name, ctx.attempt, Thread.current]
            attempt.call
          ensure
            seen << ["#{name} again"]
          end
        end
      end
      task = run_task(single(backoff: "none") do |ctx|
        (seen << ["handler", Thread.current]) && ctx.attempt == 1 ? raise("no") : "done"
      end)
      expect(task.step(:only).result).to eq("done")
      both = seen_so_far
      expect(both.map(&:first)).to eq(["outer", "inner", "handler", "inner again", "outer again"] * 2)
      expect(both.first(3).map(&:last).uniq.size).to eq(1)
      expect(both.map { |one| one[2] if one[0] == "outer" }.compact).to eq([1, 2])
    end

    it "change nothing of what the handler returned or raised, and fail the attempt by what they raise themselves" do
      behaviour = ->(_attempt) {}
      configure { |c| c.around_attempt { |_, attempt| behaviour.call(attempt) } }
      outcome = lambda do |name, one, &handler|
        behaviour = one
        step = run_task(single(name, retryable: false, &handler)).step(:only)
        step.complete? ? step.result : step.error["message"]
      end
      expect(outcome.call("a", ->(attempt) { attempt.call && "other" }) { 1 }).to eq(1)
      swallow = lambda do |attempt|
        attempt.call
      rescue StandardError
        "swallowed"
      end
      expect(outcome.call("b", swallow) { raise "lost" }).to eq("lost")
      expect(outcome.call("c", ->(attempt) { attempt.call && raise("the hook's") }) { 1 }).to eq("the hook's")
      expect(outcome.call("d", lambda { |_|
                               }) { 1 }).to match(/hook of .*around_attempt_spec.rb:\d+ returned without calling/)
      expect(outcome.call("e", ->(attempt) { 2.times { attempt.call } }) { 1 }).to eq("an attempt can be called once")
    end

    it "are given what tasks were created with: headers of their own, and those of the process" do
      configure do |c|
        c.task_headers { { tenant: "acme", "trace" => [1, nil, { deep: true }] } }
        c.task_headers { nil }
        c.task_headers { { "locale" => "de" } }
        c.around_attempt { |ctx, attempt| (seen << ctx.headers) && attempt.call }
      end
      flow = single { |ctx| (seen << ctx.headers) && 1 }
      run_task(flow, headers: { locale: "nb" })
      expected = { "tenant" => "acme", "trace" => [1, nil, { "deep" => true }], "locale" => "nb" }
      expect(seen_so_far).to eq([expected, expected])
      handle.create_tasks("flow", contexts: [{}, {}])
      handle.work(until: :idle, timeout: 30)
      expect(seen_so_far.uniq).to eq([{ **expected, "locale" => "de" }])
    end

    it "have headers that survive a retry and another process's claim, and are no part of a task's identity" do
      flow = workflow do
        identity :context
        step(:only, backoff: "none") { |ctx| ctx.attempt == 1 ? raise("no") : ctx.headers }
      end
      handle.register(flow)
      handle.create_task(flow, context: { n: 1 }, headers: { a: 1 })
      again = handle.create_task(flow, context: { n: 1 }, headers: { a: 2 }, on_duplicate: :return)
      handle.work(until: :idle, timeout: 30)
      expect(again.reload.step(:only).result).to eq("a" => 1)
    end

    it "have an empty Hash of headers where there are none" do
      expect(run_task(single { |ctx| [ctx.headers, ctx.headers.frozen?] }).step(:only).result).to eq([{}, true])
    end

    [1, [], "text", { at: Time.now }, { "a" => 1, a: 2 }].each do |wrong|
      it "refuse headers that are #{wrong.class}, by their path, and store nothing" do
        handle.register(single { 1 })
        before = census
        expect { handle.create_task("flow", headers: wrong) }
          .to raise_error(TaskerCore::ValidationError) { |error| expect(error.path).to start_with("headers") }
        expect(census).to eq(before)
      end
    end

    it "are instrumented for ActiveSupport where somebody listens" do
      subscription = ActiveSupport::Notifications.subscribe("perform_step.tasker") { |event| seen << event }
      task = run_task(single("flow", retry_limit: 2, backoff: "none") do |ctx|
                        ctx.attempt == 1 ? raise(KeyError, "no") : 1
                      end)
      first, second = seen_so_far
      expect(first.payload).to include(task_id: task.id, step_id: "#{task.id}/only", step_name: "only", attempt: 1,
                                       namespace: "default", task_name: "flow", version: "1.0.0", retry_limit: 2,
                                       exception: %w[KeyError no])
      expect(second.payload.keys).not_to include(:exception)
      expect(second.duration).to be_a(Float)
    ensure
      ActiveSupport::Notifications.unsubscribe(subscription)
    end
  end

  it "are given headers by run_step" do
    require "tasker_core/testing"
    handler = ->(ctx) { ctx.headers["locale"] }
    expect(TaskerCore::Testing.run_step(handler, headers: { locale: "de" })).to eq("de")
  end

  it "want a block" do
    expect do
      configure(&:around_attempt)
    end.to raise_error(TaskerCore::ConfigurationError, /around_attempt: takes a block/)
    expect { configure(&:task_headers) }.to raise_error(TaskerCore::ConfigurationError, /task_headers: takes a block/)
  end
end
