# frozen_string_literal: true

require "tasker_core/testing"

RSpec.describe "Failures, and what becomes of them" do
  testing = TaskerCore::Testing

  each_database do
    after { testing.cleanup }

    # The states of all steps by name.
    def statuses(run)
      run.steps.transform_values(&:status)
    end

    describe "graceful: a step that fails for good" do
      it "leaves independent branches running and what depends on it pending" do
        flow = testing.create_workflow(handle, pattern: :tree, steps: %w[root l r ll lr rl rr],
                                               handlers: { l: ->(_) { raise TaskerCore::PermanentError, "no left" } })
        run = testing.run_workflow(flow)
        expect(run.status).to eq("error")
        expect(statuses(run)).to eq("root" => "complete", "l" => "error", "r" => "complete", "ll" => "pending",
                                    "lr" => "pending", "rl" => "complete", "rr" => "complete")
        expect(run.task.error).to include("step" => "l", "message" => "no left")
        expect(run.states).to eq(%w[pending in_progress error])
        expect(run.states(:ll)).to eq(%w[pending])
        expect(run.results.keys).to eq(%w[root r rl rr])
      end

      it "keeps a join from running, and nothing else from being recorded" do
        flow = testing.create_workflow(handle, pattern: :parallel, steps: 5, defaults: { retryable: false },
                                               handlers: { step2: ->(_) { raise "broken" } })
        run = testing.run_workflow(flow)
        expect(run.order).to match_array(%w[step1 step2 step3 step4])
        expect(run.step(:step5)).to be_pending
        expect(run.step(:step2).error).to include("class" => "RuntimeError", "message" => "broken")
      end

      it "is passed over where its template says so" do
        flow = testing.create_workflow(handle, pattern: :diamond, steps: %w[a b c d],
                                               defaults: { on_failure: "skip", retryable: false },
                                               handlers: { b: ->(_) { raise "broken" }, d: lambda(&:results) })
        run = testing.run_workflow(flow)
        expect(run).to be_complete
        expect(run.step(:b)).to be_skipped
        expect(run.results["d"]).to include("b" => nil, "c" => include("step" => "c"))
      end

      it "has its attempts used up first, each after its delay" do
        patient = { retry_limit: 3, backoff: { base: 600, cap: 900, jitter: 0 } }
        flow = testing.create_workflow(handle, pattern: :linear, steps: 1, defaults: patient) { raise "no" }
        run = testing.run_workflow(flow, travel: true)
        expect(run.step(:step1)).to have_attributes(status: "error", attempts: 3)
        claims = run.transitions.select { |t| t.step_name && t.to == "in_progress" }
        expect(claims.map(&:attempt)).to eq([1, 2, 3])
        waited = claims.map(&:at).each_cons(2).map { |a, b| b - a }
        expect(waited).to match([be_between(600, 660), be_between(900, 960)])
      end
    end

    describe "recovery: time that is moved" do
      it "makes a retry fall due, and no other" do
        flow = testing.create_workflow(handle, pattern: :parallel, steps: %w[soon late join]) do |ctx|
          after = { "soon" => 100, "late" => 5000 }[ctx.step_name]
          raise TaskerCore::RetryableError.new("busy", retry_after: after) if after && ctx.attempt == 1

          ctx.attempt
        end
        error = error_of { testing.run_workflow(flow) }
        expect(error).to be_a(testing::NotEndedError)
        expect(error.message).to match(/soon waits for attempt 2, in \d+\.\d s; late .*; join needs soon, late/)
        testing.advance_time(handle, 101)
        error_of { testing.run_workflow(flow, timeout: 1) }
        eventually { flow.task.step(:soon).complete? }
        expect(flow.task.step(:late).status).to eq("waiting_for_retry")
        testing.advance_time(handle, 5000)
        expect(testing.run_workflow(flow).results).to eq("soon" => 2, "late" => 2, "join" => 1)
      end

      it "reaches a worker that is running" do
        flow = testing.create_workflow(handle, pattern: :linear, steps: 1) do |ctx|
          raise TaskerCore::RetryableError.new("busy", retry_after: 3600) if ctx.attempt == 1

          "again"
        end
        worker = handle.worker(threads: 1).start
        eventually { flow.task.step(:step1).waiting_for_retry? }
        testing.advance_time(handle, 3600)
        expect(flow.task.wait(timeout: 10).step(:step1).result).to eq("again")
        worker.stop
      end

      it "makes a task's run_at fall due" do
        flow = testing.create_workflow(handle, pattern: :linear, run_at: testing.now(handle) + 7200)
        error = error_of { testing.run_workflow(flow) }
        expect(error.message).to match(/step1 waits for the task's run_at, in 7\d\d\d\.\d s/)
        expect(error.task.id).to eq(flow.task.id)
        testing.advance_time(handle, 7200)
        expect(testing.run_workflow(flow)).to be_complete
      end

      it "returns the steps of a process that died, and what it had done stays done" do
        flow = testing.create_workflow(handle, pattern: :linear, steps: %w[before stuck after], &:step_name)
        program = start_program(<<~RUBY, flow.name)
          handle = TaskerCore.open(ENV["URL"], lease: 600)
          stuck = ->(_ctx) { puts "stuck"; sleep }
          steps = [{ name: "before" }, { name: "stuck", depends_on: "before" }, { name: "after", depends_on: "stuck" }]
          handle.register({ name: ARGV[0], namespace: "testing", steps: steps },
                          handlers: { before: ->(_ctx) { "done by the first" }, stuck: stuck, after: stuck })
          handle.work
        RUBY
        await_words(program, /^stuck/)
        program.kill
        error = error_of { testing.run_workflow(flow, timeout: 0.3) }
        expect(error.message).to include("stuck is in the hands of a worker")
        testing.advance_time(handle, 601)
        run = testing.run_workflow(flow)
        expect(run.results).to eq("before" => "done by the first", "stuck" => "stuck", "after" => "after")
        expect(run.states(:stuck)).to eq(%w[pending in_progress pending in_progress complete])
        expect(run.states(:before)).to eq(%w[pending in_progress complete])
      end

      it "keeps this process's own leases" do
        gates = gate
        flow = testing.create_workflow(handle, pattern: :linear, steps: 1) { gates.wait && "kept" }
        worker = handle.worker(threads: 1).start
        eventually { gates.waiting == 1 }
        testing.advance_time(handle, 86_400)
        expect(flow.task.step(:step1).status).to eq("in_progress")
        gates.open
        expect(flow.task.wait(timeout: 10).step(:step1)).to have_attributes(result: "kept", attempts: 1)
        worker.stop
      end

      it "refuses what is no span of time" do
        [-1, nil, "5", Float::NAN].each do |wrong|
          expect { testing.advance_time(handle, wrong) }.to raise_error(TaskerCore::ValidationError, /seconds/)
        end
        expect { testing.advance_time(handle, 1e300) }.to raise_error(TaskerCore::ValidationError, /seconds/)
        expect(testing.now(handle)).to be_within(60).of(Time.now)
        years = 60 * 366 * 86_400
        testing.advance_time(handle, years)
        expect { testing.advance_time(handle, years) }.to raise_error(TaskerCore::ValidationError, /a hundred years/)
        expect(testing.now(handle)).to be_within(60).of(Time.now + years)
      end
    end

    describe "rollback: what fails" do
      it "leaves nothing behind, though only the last of many tasks is wrong" do
        flow = testing.create_foundation(handle, steps: %w[a b])
        flow.create_task(key: "taken")
        before = census
        keys = [*("a".."y"), "taken"]
        expect { handle.create_tasks(flow.template, contexts: keys.map { {} }, keys: keys) }
          .to raise_error(TaskerCore::DuplicateTaskError)
        expect(census).to eq(before)
        expect(count("tasker_task_keys")).to eq(1)
        expect(handle.create_tasks(flow.template, contexts: [{}], keys: ["a"]).size).to eq(1)
      end

      it "changes nothing of a template that tasks use" do
        flow = testing.create_foundation(handle, name: "order", steps: %w[a b])
        task = flow.create_task
        before = census
        [%w[a], %w[a b c], ["a", { name: "b", depends_on: "a" }]].each do |steps|
          expect { testing.create_foundation(handle, name: "order", steps: steps) }
            .to raise_error(TaskerCore::ValidationError, /new version/)
        end
        expect(census).to eq(before)
        expect(testing.run_workflow(handle, task).steps.keys).to eq(%w[a b])
      end

      it "records a result that has no JSON form as the failure of its step" do
        flow = testing.create_workflow(handle, pattern: :linear, handlers: { step2: ->(_) { Time.now } })
        run = testing.run_workflow(flow)
        expect(run.status).to eq("error")
        expect(run.step(:step2).error["message"]).to include("result", "Time")
        expect(run.results.keys).to eq(%w[step1])
      end
    end

    it "says at once what a task waits for that will not end" do
      flow = testing.create_foundation(open_handle, steps: ["a", { name: "b", depends_on: "a" }])
      task = flow.create_task
      error = error_of { testing.run_workflow(handle, task, timeout: 0.2) }
      expect(error).to be_a(TaskerCore::TimeoutError)
      expect(error.message).to include(task.id, "a is ready and nobody takes it", "b needs a")
    end
  end
end
