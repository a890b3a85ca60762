# frozen_string_literal: true

RSpec.describe "Decisions" do
  # check chooses what the context says among a, b and c; each is followed by a step of its own, and all of these by
  # `join`.
  def three_ways
    workflow do
      step(:check, branches: %i[a b c]) { |ctx| ctx.route(*ctx.context["route"]) && nil }
      %i[a b c].each do |name|
        step(name, depends_on: :check) { name }
        step(:"after_#{name}", depends_on: name) { |ctx| "after #{ctx.result(name)}" }
      end
      step(:join, depends_on: %i[after_a after_b after_c]) { |ctx| ctx.results.values }
    end
  end

  def statuses(task) = task.steps.to_h { |step| [step.name.to_sym, step.status] }
  def skipped(task) = task.steps.select(&:skipped?).map(&:name)

  each_database do
    it "are made anew when they are restarted; what is restarted after them keeps to what they chose" do
      task = run_task(three_ways, context: { route: ["a"] })
      task.restart_from(:join)
      handle.work(until: :idle, timeout: 30)
      expect(task.reload).to be_complete
      expect(skipped(task)).to eq(%w[b after_b c after_c])
      task.restart_from(:check)
      handle.work(until: :idle, timeout: 30)
      expect(task.reload).to be_complete
      expect(task.step(:join).history.map(&:to).count("complete")).to eq(3)
      expect(skipped(task)).to eq(%w[b after_b c after_c])
    end

    it "skip what they don't choose and what follows it; a join waits for the chosen branches" do
      task = run_task(three_ways, context: { route: "b" })
      expect(task).to be_complete
      expect(skipped(task)).to eq(%w[a after_a c after_c])
      expect(task.step(:join).result).to eq([nil, "after b", nil])
      expect(task.step(:check)).to have_attributes(route: ["b"], result: nil)
      pending = handle.create_task("flow", context: { route: "a" })
      expect([task.step(:b).route, pending.step(:check).route]).to eq([nil, nil])
      expect(JSON.parse(task.step(:check).to_json)["route"]).to eq(["b"])
      expect(task.step(:a)).to have_attributes(attempts: 0, started_at: nil, result: nil)
      expect(task.step(:a).finished_at).to be_a(Time)
    end

    it "choose several, in one call or in many" do
      task = run_task(three_ways, context: { route: %w[c a] })
      expect(skipped(task)).to eq(%w[b after_b])
      expect(task.step(:join).result).to eq(["after a", nil, "after c"])
      expect(task.step(:check).route).to eq(%w[a c])
      flow = workflow("many") do
        step(:check, branches: %i[a b c]) do |ctx|
          [ctx.routed, ctx.route(:a), ctx.route("a", [:c]), ctx.routed]
        end
        %i[a b c].each { |name| step(name, depends_on: :check) { 1 } }
      end
      task = run_task(flow)
      expect(task.step(:check).result).to eq([[], ["a"], %w[a c], %w[a c]])
      expect(skipped(task)).to eq(["b"])
    end

    it "stand in the history with what they chose, and the skipped steps with the reason" do
      task = run_task(three_ways, context: { route: %w[b] })
      of = task.history.group_by(&:step_name)
      expect(of["check"].last).to have_attributes(to: "complete", metadata: { "route" => ["b"] })
      expect(of["a"].map { |line| [line.from, line.to, line.metadata] })
        .to eq([[nil, "pending", nil],
                ["pending", "skipped", { "reason" => "the decision \"check\" did not choose it" }]])
      expect(of["after_a"].last.metadata).to eq({ "reason" => "decisions skipped every step that it needs" })
    end

    it "fail for good when they return without choosing" do
      tries = journal
      flow = workflow do
        step(:check, branches: :a, backoff: "none") { (tries << 1) && 1 }
        step(:a, depends_on: :check) { 1 }
      end
      task = run_task(flow)
      expect([task.status, tries.size, statuses(task)]).to eq(["error", 1, { check: "error", a: "pending" }])
      expect(task.error).to include("step" => "check", "class" => "TaskerCore::ValidationError")
      expect(task.error["message"]).to include("has branches", "without choosing", "check")
    end

    it "refuse what is no branch, name the nearest, and go on with another attempt" do
      errors = journal
      flow = workflow do
        step(:check, branches: %i[approve reject], backoff: "none") do |ctx|
          ctx.route(:reject) && ctx.route(:aprove) if ctx.attempt == 1
          ctx.route(:approve)
        rescue TaskerCore::ValidationError => e
          errors << [e.message, e.path, e.expected]
          raise
        end
        step(:approve, depends_on: :check) { 1 }
        step(:reject, depends_on: :check) { 1 }
        step(:other, depends_on: :check) do |ctx|
          [[:approve], [], [7]].map do |names|
            ctx.route(*names)
          rescue TaskerCore::ValidationError => e
            e.message
          end
        end
      end
      task = run_task(flow)
      expect(task).to be_complete
      expect(errors.to_a.size).to eq(1)
      expect(errors.to_a[0][0]).to include("has no branch \"aprove\"", "did you mean \"approve\"?")
      expect(errors.to_a[0].drop(1)).to eq(["route", "approve, reject"])
      expect([skipped(task), task.step(:check).attempts]).to eq([["reject"], 2])
      expect(task.step(:other).result)
        .to match([/"other" has no branches/, /takes one or several/, /names of branches/])
    end

    it "leave alone what needs them and is none of their branches" do
      flow = workflow do
        step(:check, branches: %i[a b]) { |ctx| ctx.route(:a) }
        step(:a, depends_on: :check) { 1 }
        step(:b, depends_on: :check) { 1 }
        step(:audit, depends_on: :check) { 1 }
        step(:after_b, depends_on: %i[b audit], &:results)
      end
      task = run_task(flow)
      expect(skipped(task)).to eq(["b"])
      expect(task.step(:after_b).result).to eq({ "b" => nil, "audit" => 1 })
    end

    it "skip a branch whatever else it needs, though that may end before or after" do
      [true, false].each do |first|
        gate = Support::Gate.new
        flow = workflow("late_#{first}") do
          step(:other) { (first || gate.wait) && 1 }
          step(:check, branches: %i[a b], depends_on: first ? [:other] : []) { |ctx| ctx.route(:a) }
          step(:a, depends_on: :check) { gate.open && 1 }
          step(:b, depends_on: %i[check other]) { 1 }
          step(:join, depends_on: %i[a b]) { |ctx| ctx.results.keys }
        end
        task = run_task(flow)
        expect([task.status, skipped(task)]).to eq(["complete", ["b"]])
      end
    end

    it "nest: a decision that was skipped chooses nothing, and its branches are skipped" do
      flow = workflow do
        step(:outer, branches: %i[inner plain]) { |ctx| ctx.route(ctx.context["outer"]) }
        step(:inner, depends_on: :outer, branches: %i[x y]) { |ctx| ctx.route(ctx.context["inner"]) }
        step(:x, depends_on: :inner) { "x" }
        step(:y, depends_on: :inner) { "y" }
        step(:xy, depends_on: %i[x y]) { |ctx| ctx.results.values.compact }
        step(:plain, depends_on: :outer) { "plain" }
        step(:finish, depends_on: %i[xy plain], &:results)
      end
      task = run_task(flow, context: { outer: "plain" })
      expect([task.status, skipped(task)]).to eq(["complete", %w[inner x y xy]])
      expect(task.step(:finish).result).to eq({ "xy" => nil, "plain" => "plain" })
      task = run_task(flow, context: { outer: "inner", inner: "y" })
      expect([task.status, skipped(task)]).to eq(["complete", %w[x plain]])
      expect(task.step(:finish).result).to eq({ "xy" => ["y"], "plain" => nil })
    end

    it "make a task complete when nothing is left" do
      flow = workflow do
        step(:check, branches: %i[a b]) { |ctx| ctx.route(:a) }
        step(:a, depends_on: :check) { 1 }
        step(:b, depends_on: :check) { 1 }
        step(:last, depends_on: :b) { 1 }
      end
      task = run_task(flow)
      expect(statuses(task)).to eq({ check: "complete", a: "complete", b: "skipped", last: "skipped" })
      expect(task).to be_complete
    end

    it "skip nothing beyond a step that was left out with on_failure: skip" do
      flow = workflow do
        step(:check, branches: %i[a b]) { |ctx| ctx.route(:a) }
        step(:a, depends_on: :check, on_failure: :skip, retryable: false) { raise "no" }
        step(:b, depends_on: :check) { 1 }
        step(:after_a, depends_on: :a) { "ran" }
      end
      task = run_task(flow)
      expect([statuses(task), task.step(:after_a).result])
        .to eq([{ check: "complete", a: "skipped", b: "skipped", after_a: "complete" }, "ran"])
    end

    it "come out right when decisions of one task end at once, in many tasks" do
      flow = workflow do
        step(:left, branches: %i[a b]) { |ctx| ctx.route(ctx.context["left"]) }
        step(:right, branches: %i[c d]) { |ctx| ctx.route(ctx.context["right"]) }
        step(:a, depends_on: :left) { 1 }
        step(:b, depends_on: :left) { 1 }
        step(:c, depends_on: :right) { 1 }
        step(:d, depends_on: :right) { 1 }
        { ac: %i[a c], ad: %i[a d], bc: %i[b c], bd: %i[b d] }.each { |name, two| step(name, depends_on: two) { 1 } }
        step(:finish, depends_on: %i[ac ad bc bd]) { |ctx| ctx.results.compact.keys }
      end
      handle.register(flow)
      contexts = Array.new(60) { |n| { left: n.even? ? "a" : "b", right: n % 3 == 0 ? "c" : "d" } }
      ids = handle.create_tasks("flow", contexts: contexts)
      others = Array.new(3) { open_handle.tap { |other| other.register(flow) } }
      Array.new(3) { |n| Thread.new { others[n].work(until: :idle, threads: 3, timeout: 30) } }.each(&:join)
      ids.zip(contexts) do |id, context|
        task = handle.task(id)
        left, right = context.values_at(:left, :right)
        other = { "a" => "b", "b" => "a", "c" => "d", "d" => "c" }.values_at(left, right)
        expect([task.status, skipped(task)]).to eq(["complete", [*other.sort, other.sort.join]])
        expect(task.step(:finish).result).to eq(%w[ac ad bc bd] - [other.sort.join])
      end
    end

    it "are part of what a version fixes" do
      build = lambda do |branches|
        { name: "fixed", steps: [{ name: "a", branches: branches, handler: ->(ctx) { ctx.route(:b) } },
                                 *%w[b c].map { |name| { name: name, depends_on: "a", handler: ->(_) { 1 } } }] }
      end
      handle.register(build.call(%w[b c]))
      handle.create_task("fixed")
      handle.register(build.call(%w[c b]))
      expect { handle.register(build.call(["b"])) }.to raise_error(TaskerCore::ValidationError, /version fixes/)
    end
  end

  it "are checked with the graph" do
    handle = TaskerCore.open("sqlite::memory:")
    faults = lambda do |branches, **more|
      steps = [{ name: "check", branches: branches, **more }, { name: "approve", depends_on: "check" },
               { name: "other" }]
      steps.each { |step| step[:handler] = ->(_) {} }
      error_of { handle.register({ name: "t", steps: steps }) }.faults.map { |fault| fault.values_at(:path, :message) }
    end
    expect(faults.call(["aprove"])).to match([["steps[0].branches", /no step "aprove" \(did you mean "approve"\?\)/]])
    expect(faults.call(["other"])).to match([["steps[0].branches", /"other" does not depend on "check"/]])
    expect(faults.call(["check"])).to match([["steps[0].branches", /"check" does not depend on "check"/]])
    expect(faults.call(%w[approve approve])).to match([["steps[0].branches", /named twice/]])
    expect(faults.call("approve", on_failure: :skip)).to match([["steps[0].on_failure", /can't be skipped/]])
    expect(faults.call(7)).to match([["steps[0].branches", /list of/]])
    handle.close
  end

  it "can be tried without a database" do
    require "tasker_core/testing"
    handler = ->(ctx) { ctx.context.key?("choose") && ctx.route(ctx.context["choose"]) && 2 }
    chosen = []
    run = lambda do |context|
      TaskerCore::Testing.run_step(handler, context: context, branches: %i[approve reject]) do |ctx|
        chosen << ctx.routed
      end
    end
    expect([run.call({ choose: :approve }), run.call({ choose: %i[reject] }),
            chosen]).to eq([2, 2, [["approve"], ["reject"]]])
    expect { run.call({}) }.to raise_error(TaskerCore::ValidationError, /without choosing/)
    expect { TaskerCore::Testing.run_step(handler, context: { choose: :approve }) }
      .to raise_error(TaskerCore::ValidationError, /no branches/)
  end
end
