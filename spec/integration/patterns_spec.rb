# frozen_string_literal: true

require "tasker_core/testing"

RSpec.describe "Workflow patterns with handlers in Ruby" do
  testing = TaskerCore::Testing
  sizes = { linear: [1, 2, 7], diamond: [4, 5, 12], parallel: [3, 4, 15], tree: [3, 7, 10], dense: [4, 7, 16] }

  each_database do
    after { testing.cleanup }

    # How many ways lead from the first steps to each step.
    def ways(flow)
      flow.layers.flatten.each_with_object({}) do |step, ways|
        parents = flow.parents(step)
        ways[step] = parents.empty? ? 1 : parents.sum { |parent| ways.fetch(parent) }
      end
    end

    sizes.each do |pattern, counts|
      counts.each do |count|
        it "run #{count} steps of #{pattern} in an order that respects the edges, and pass results along" do
          began = journal
          flow = testing.create_workflow(handle, pattern: pattern, steps: count) do |ctx|
            began << ctx.step_name
            ctx.results.empty? ? 1 : ctx.results.values.sum
          end
          run = testing.run_workflow(flow)
          expect(run).to be_complete
          expect(run.steps.size).to eq(count)
          expect(began.tally.values.uniq).to eq([1])
          expect(flow.possible?(began.to_a)).to be(true), began.to_a.inspect
          expect(run.order).to match_array(began.to_a)
          expect(flow.possible?(run.order)).to be(true), run.order.inspect
          expect(run.results).to eq(ways(flow))
        end
      end

      it "record every transition of #{pattern}" do
        run = testing.run_workflow(testing.create_workflow(handle, pattern: pattern))
        expect(run.states).to eq(%w[pending in_progress complete])
        run.steps.each_key { |step| expect(run.states(step)).to eq(%w[pending in_progress complete]) }
        expect(run.transitions.size).to eq(3 * (run.steps.size + 1))
        expect(run.transitions.map(&:at)).to eq(run.transitions.map(&:at).sort)
      end

      it "store the edges of #{pattern}" do
        flow = testing.create_workflow(handle, pattern: pattern)
        stored = flow.task.steps.flat_map { |step| step.depends_on.map { |parent| [parent, step.name] } }
        expect(stored).to eq(flow.edges)
        expect(database.query("SELECT from_step, to_step FROM tasker_workflow_step_edges")).to match_array(flow.edges)
        expect(flow.edges).not_to be_empty
      end
    end

    it "let a join see the results of all its parents" do
      %i[diamond parallel].each do |pattern|
        flow = testing.create_workflow(handle, pattern: pattern, steps: 9) { |ctx| [ctx.step_name, ctx.results] }
        name, seen = testing.run_workflow(flow).results[flow.steps.last]
        expect([name, seen.keys]).to eq([flow.steps.last, flow.parents(name)])
        expect(seen.values.map(&:first)).to eq(flow.parents(name))
      end
    end

    it "run what needs nothing of each other side by side" do
      gates = gate
      flow = testing.create_workflow(handle, pattern: :diamond, steps: 6) { |ctx| ctx.results.size != 1 || gates.wait }
      runs = Thread.new { testing.run_workflow(flow, threads: 4, timeout: 20) }
      eventually { gates.waiting == 4 }
      expect(flow.task.step("step6").status).to eq("pending")
      gates.open
      expect(runs.value).to be_complete
    end

    it "take names for their steps, and say which layers they have" do
      flow = testing.create_workflow(handle, pattern: "tree", steps: %i[root l r ll lr])
      expect(flow.layers).to eq([%w[root], %w[l r], %w[ll lr]])
      expect(flow.parents(:lr)).to eq(%w[l])
      expect(flow.task.step(:ll).depends_on).to eq(%w[l])
      expect { flow.parents("lx") }.to raise_error(TaskerCore::NotFoundError, /"lx"/)
      orders = [%w[root l ll], %w[l root], %w[l]]
      expect(orders.map { |order| flow.possible?(order) }).to eq([true, false, false])
    end

    it "give the context to every step and take the task's options" do
      flow = testing.create_workflow(handle, pattern: :linear, context: { n: 5 }, tags: %w[spec]) { |c| c.context["n"] }
      run = testing.run_workflow(flow)
      expect(run.results.values).to eq([5, 5, 5])
      expect(run.task.tags).to eq(%w[spec])
    end

    it "are worked by handlers of their own step" do
      flow = testing.create_workflow(handle, pattern: :linear, steps: %w[a b],
                                             handlers: { b: ->(ctx) { ctx.result(:a)["step"] * 2 } })
      expect(testing.run_workflow(flow).results["b"]).to eq("aa")
    end

    it "refuse what is no pattern and sizes that it can't have, and change nothing" do
      handle.register(single { 1 })
      before = census
      expect { testing.create_workflow(handle, pattern: :dimond) }
        .to raise_error(TaskerCore::ValidationError, /did you mean "diamond"/)
      { diamond: 3, parallel: 2, tree: 0, dense: 1_001, linear: (2**64) - 1 }.each do |pattern, count|
        expect { testing.create_workflow(handle, pattern: pattern, steps: count) }
          .to raise_error(TaskerCore::ValidationError) { |error| expect(error.path).to eq("steps") }
      end
      { %w[a a] => "steps[1].name", ["a", 5] => "steps[1]", "4" => "steps", 4.0 => "steps" }.each do |steps, path|
        expect { testing.create_workflow(handle, pattern: :linear, steps: steps) }
          .to raise_error(TaskerCore::ValidationError) { |error| expect(error.path).to eq(path) }
      end
      expect(census).to eq(before)
    end
  end
end
