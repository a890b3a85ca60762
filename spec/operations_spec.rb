# frozen_string_literal: true

# Where each operation leads from each state; nil where it is refused.
module OperationTables
  TASK_STATES = %w[pending in_progress paused complete error cancelled resolved_manually].freeze
  TASK = {
    "cancel" => ["cancelled", "cancelled", "cancelled", nil, "cancelled", "cancelled", nil],
    "pause" => ["paused", "paused", "paused", nil, nil, nil, nil],
    "resume" => ["pending", "in_progress", "in_progress", nil, nil, nil, nil],
    "retry" => [nil, "in_progress", nil, nil, "in_progress", nil, nil],
    "restart_from" => ["pending", nil, nil, "in_progress", "in_progress", "in_progress", "in_progress"],
    "resolve" => ["resolved_manually", "resolved_manually", "resolved_manually", nil, "resolved_manually",
                  "resolved_manually", "resolved_manually"],
    "update" => ["pending", "in_progress", "paused", nil, "error", nil, nil]
  }.freeze

  STEP_STATES = %w[pending in_progress waiting_for_retry complete error skipped cancelled resolved_manually].freeze
  STEP = {
    "retry" => ["pending", nil, "pending", nil, "pending", nil, nil, nil],
    "resolve" => ["resolved_manually", "resolved_manually", "resolved_manually", nil, "resolved_manually", nil, nil,
                  "resolved_manually"],
    "skip" => ["skipped", nil, "skipped", nil, "skipped", "skipped", nil, nil]
  }.freeze

  # Operations that aim at the state itself, and that the state's error therefore does not name as possible.
  AIMLESS = { TASK => { "pending" => %w[resume restart_from], "in_progress" => %w[resume], "paused" => %w[pause],
                        "cancelled" => %w[cancel] },
              STEP => { "pending" => %w[retry], "skipped" => %w[skip] } }.freeze
end

# Every operation by hand in every state: where it leads, or that it is refused. DESIGN's tables, as users meet them.
RSpec.describe "Operations by hand" do
  each_database do
    let(:step_gate) { gate }

    before do
      gate = step_gate
      a = lambda do |ctx|
        case ctx.context["a"]
        when "fail" then raise TaskerCore::PermanentError, "no"
        when "retry" then raise TaskerCore::RetryableError.new("later", retry_after: 3600)
        when "hang" then gate.wait
        else "a"
        end
      end
      steps = [{ name: "a" }, { name: "b", depends_on: "a", queue: "later" }]
      handle.register({ name: "pair", steps: steps }, handlers: { a: a, b: ->(_ctx) { "b" } })
    end

    def task_in(state)
      task = handle.create_task("pair", context: state == "error" ? { a: "fail" } : {})
      case state
      when "in_progress" then run("default")
      when "paused" then run("default") && task.pause
      when "complete", "error" then run(nil)
      when "cancelled" then task.cancel
      when "resolved_manually" then task.resolve
      end
      task.reload.tap { |now| expect(now.status).to eq(state) }
    end

    def run(*queues)
      handle.work(until: :idle, queues: queues.first && queues)
    end

    def step_in(state)
      task = handle.create_task("pair", context: { a: { "in_progress" => "hang", "waiting_for_retry" => "retry",
                                                        "error" => "fail" }[state] })
      case state
      when "in_progress", "waiting_for_retry" then worker = handle.worker(threads: 1, queues: ["default"]).start
      when "complete" then run("default")
      when "error" then run(nil)
      when "skipped" then task.step(:a).skip
      when "cancelled" then task.cancel
      when "resolved_manually" then task.step(:a).resolve(result: 1)
      end
      eventually { task.step(:a).status == state }
      # It would claim again what is retried.
      worker&.stop if state == "waiting_for_retry"
      task.step(:a)
    end

    def ask(subject, operation)
      case operation
      when "restart_from" then subject.restart_from(:a)
      when "update" then subject.update(priority: 7)
      when "resolve" then subject.is_a?(TaskerCore::Step) ? subject.resolve(result: 2) : subject.resolve
      else subject.public_send(operation)
      end
    end

    def check(subject, operation, expected, table, states)
      before = subject.history.size
      if expected
        expect(ask(subject, operation).status).to eq(expected)
        expect { ask(subject, operation) }.not_to(change { subject.history.size }) unless operation == "restart_from"
      else
        expect { ask(subject, operation) }.to raise_error(TaskerCore::StateTransitionError) { |error|
          expect(error).to have_attributes(operation: operation, state: subject.status)
          expect(error.message).to include(operation, subject.status)
          expect(error.allowed).to match_array(allowed(subject.status, table, states))
          expect(error.allowed_in).not_to include(subject.status) unless subject.status == "resolved_manually"
        }
        expect(subject.history.size).to eq(before)
      end
    end

    # What the error names as possible.
    def allowed(state, table, states)
      column = states.index(state)
      table.select { |_, row| row[column] }.keys - OperationTables::AIMLESS[table].fetch(state, [])
    end

    OperationTables::TASK.each do |operation, row|
      OperationTables::TASK_STATES.zip(row) do |state, expected|
        it "#{operation} of a task that is #{state} #{expected ? "leads to #{expected}" : "is refused"}" do
          check(task_in(state), operation, expected, OperationTables::TASK, OperationTables::TASK_STATES)
        end
      end
    end

    OperationTables::STEP.each do |operation, row|
      OperationTables::STEP_STATES.zip(row) do |state, expected|
        it "#{operation} of a step that is #{state} #{expected ? "leads to #{expected}" : "is refused"}" do
          step = step_in(state)
          if state == "cancelled"
            expect { ask(step, operation) }.to raise_error(TaskerCore::StateTransitionError, /its task is cancelled/)
          else
            check(step, operation, expected, OperationTables::STEP, OperationTables::STEP_STATES)
          end
        ensure
          step_gate.open
        end
      end
    end
  end
end
