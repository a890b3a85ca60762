# frozen_string_literal: true

RSpec.describe "Steps for each item of a list" do
  # split gives the context's goods; parcel is done for each, and send has all results.
  def shipment(name = "flow", list: "split", **options, &parcel)
    parcel ||= ->(ctx) { ctx.item }
    workflow(name) do
      step(:split) { |ctx| ctx.context["goods"] }
      step(:parcel, parcel, depends_on: :split, each: list, backoff: "none", **options)
      step(:send, depends_on: :parcel) { |ctx| ctx.result(:parcel) }
    end
  end

  def statuses(task) = task.steps.to_h { |step| [step.name, step.status] }

  each_database do
    it "are made when the parents are done, and their results are one Array in the order of the items" do
      flow = shipment { |ctx| [ctx.item["n"], ctx.item_index, ctx.step_name, ctx.result(:split).size] }
      task = run_task(flow, context: { goods: [{ n: "a" }, { n: "b" }, { n: "c" }] })
      expect(task).to be_complete
      expect(task.step(:send).result)
        .to eq([["a", 0, "parcel[0]", 3], ["b", 1, "parcel[1]", 3], ["c", 2, "parcel[2]", 3]])
      expect(task.steps.map(&:name)).to eq(%w[split parcel send parcel[0] parcel[1] parcel[2]])
      expect(task.step("parcel[1]")).to have_attributes(
        id: "#{task.id}/parcel[1]", status: "complete", item: { "n" => "b" }, attempts: 1, depends_on: ["split"]
      )
      expect(JSON.parse(task.step("parcel[1]").to_json)["item"]).to eq({ "n" => "b" })
      expect(task.step(:parcel)).to have_attributes(status: "complete", attempts: 1, item: nil, depends_on: ["split"])
      expect { task.step("parcel[3]") }.to raise_error(TaskerCore::NotFoundError, /parcel/)
    end

    it "are none for an empty list: what follows gets []" do
      task = run_task(shipment, context: { goods: [] })
      expect([statuses(task), task.step(:send).result])
        .to eq([{ "split" => "complete", "parcel" => "complete", "send" => "complete" }, []])
    end

    it "come of a list that Ruby makes of the parents' results, or of a place in a parent's result" do
      goods = [{ "rows" => [3, 1] }, { "rows" => [2] }]
      lists = [->(results) { results[:split].flat_map { |good| good["rows"] } },
               ->(results) { results.fetch("split").flat_map { |good| good["rows"] } },
               ->(_, ctx) { ctx.context["goods"].sum([]) { |good| good["rows"] } },
               "split.0.rows"]
      found = lists.each_with_index.map do |list, n|
        run_task(shipment("flow#{n}", list: list), context: { goods: goods }).step(:send).result
      end
      expect(found).to eq([[3, 1, 2], [3, 1, 2], [3, 1, 2], [3, 1]])
    end

    it "may begin a workflow" do
      flow = workflow do
        step(:row, each: ->(_, ctx) { ctx.context["rows"] }) { |ctx| ctx.item + 1 }
        step(:sum, depends_on: :row) { |ctx| ctx.result(:row).sum }
      end
      expect(run_task(flow, context: { rows: [1, 2, 3] }).step(:sum).result).to eq(9)
    end

    it "have a key, retries and an error each" do
      keys = journal
      flow = shipment(retry_limit: 3) do |ctx|
        keys << ctx.idempotency_key
        raise "not yet" if ctx.attempt <= ctx.item

        ctx.attempt
      end
      task = run_task(flow, context: { goods: [0, 1, 2] })
      expect([task.status, task.step(:send).result, keys.tally.values.sort]).to eq(["complete", [1, 2, 3], [1, 2, 3]])
      expect(task.step("parcel[2]").error).to include("message" => "not yet")
    end

    it "make the task end in error when one of them fails, and the others are done" do
      flow = shipment { |ctx| ctx.item == 2 ? raise(TaskerCore::PermanentError, "broken") : ctx.item }
      task = run_task(flow, context: { goods: [1, 2, 3] })
      expect(task).to have_attributes(status: "error", error: include("step" => "parcel[1]", "message" => "broken"))
      expect(statuses(task)).to eq({ "split" => "complete", "parcel" => "pending", "send" => "pending",
                                     "parcel[0]" => "complete", "parcel[1]" => "error", "parcel[2]" => "complete" })
    end

    it "leave nil in their places where they fail with on_failure: skip" do
      flow = shipment(on_failure: :skip, retryable: false) { |ctx| ctx.item.odd? ? raise("odd") : ctx.item }
      task = run_task(flow, context: { goods: [1, 2, 3] })
      expect([task.status, task.step(:send).result]).to eq(["complete", [nil, 2, nil]])
    end

    it "are refused when the list is none, or too long; retries would not help" do
      wrong = { 7 => /the list is no Array/, nil => /the list is no Array/, { "a" => [] } => /no Array/,
                Array.new(10_001, 0) => /at most 10000 items; this one has 10001/ }
      [->(results) { results[:split] }, "split"].each_with_index do |list, n|
        wrong.each_with_index do |(value, message), place|
          task = run_task(shipment("flow#{n}#{place}", list: list), context: { goods: value })
          expect(task).to have_attributes(status: "error", error: include("step" => "parcel", "message" => message))
          expect(task.step(:parcel)).to have_attributes(status: "error", attempts: 1)
        end
      end
      task = run_task(shipment("path", list: "split.parcels"), context: { goods: { "boxes" => [] } })
      expect(task.error["message"]).to include("\"split.parcels\": there is no \"parcels\" in the result")
    end

    it "wait for a list whose maker failed, and was tried again" do
      tries = journal
      list = lambda do |results|
        tries << 1
        raise "not yet" if tries.size == 1

        results[:split]
      end
      task = run_task(shipment(list: list), context: { goods: [5] })
      expect([task.step(:send).result, task.step(:parcel).attempts, tries.size]).to eq([[5], 2, 2])
      flow = shipment("never", list: ->(_) { raise TaskerCore::PermanentError, "no list" }, on_failure: :skip)
      task = run_task(flow, context: { goods: [5] })
      expect([task.status, task.step(:parcel).status, task.step(:send).result]).to eq(["complete", "skipped", nil])
    end

    it "tell in the history what was made and when" do
      task = run_task(shipment, context: { goods: [1, 2] })
      lines = task.history.select { |line| line.step_name == "parcel" }
      expect(lines.map { |line| [line.from, line.to, line.attempt, line.metadata] })
        .to eq([[nil, "pending", 0, nil], ["pending", "in_progress", 1, nil],
                ["in_progress", "pending", 1, { "items" => 2 }], ["pending", "in_progress", 1, nil],
                ["in_progress", "complete", 1, nil]])
      expect(task.history.map(&:step_name).uniq).to include("parcel[0]", "parcel[1]")
    end

    it "are told of as events, by their names" do
      heard = journal
      subscription = handle.subscribe("step.complete") { |event| heard << event.step_name }
      run_task(shipment, context: { goods: [1, 2] })
      eventually { heard.size == 5 }
      subscription.cancel
      expect(heard.to_a.sort).to eq(%w[parcel parcel[0] parcel[1] send split])
    end

    it "are in the view of edges" do
      task = run_task(shipment, context: { goods: [1, 2] })
      edges = database.query("SELECT from_step, to_step FROM tasker_workflow_step_edges").sort
      expect(edges).to eq([%w[parcel send], %w[parcel[0] parcel], %w[parcel[1] parcel], %w[split parcel],
                           %w[split parcel[0]], %w[split parcel[1]]])
      expect(task).to be_complete
    end

    it "come after decisions and before them, and after one another" do
      flow = workflow do
        step(:way, branches: %i[list plain]) { |ctx| ctx.route(ctx.context["way"]) && [1, 2, 3] }
        step(:list, depends_on: :way, each: "way") { |ctx| ctx.item * 10 }
        step(:plain, depends_on: :way) { 0 }
        step(:choice, depends_on: %i[list plain], branches: %i[big small]) do |ctx|
          ctx.route(ctx.result(:list) ? :big : :small) && ctx.result(:list)
        end
        step(:big, depends_on: %i[choice list], each: "list") { |ctx| ctx.item + ctx.result(:list).size }
        step(:small, depends_on: :choice) { "small" }
        step(:finish, depends_on: %i[big small], &:results)
      end
      task = run_task(flow, context: { way: "list" })
      expect(task.step(:finish).result).to eq({ "big" => [13, 23, 33], "small" => nil })
      task = run_task(flow, context: { way: "plain" })
      expect(task.step(:finish).result).to eq({ "big" => nil, "small" => "small" })
      expect(statuses(task)).to include("list" => "skipped", "big" => "skipped")
      expect(task.steps.size).to eq(7)
    end

    it "are ten thousand at the most, made and gathered in one transaction each", limit: 120 do
      flow = shipment { |ctx| ctx.item * 2 }
      task = nil
      few, many = [1_000, 10_000].map do |count|
        seconds { task = run_task(flow, context: { goods: Array.new(count) { |n| n } }, within: 100) }
      end
      expect(task.status).to eq("complete")
      expect(task.step(:send).result == Array.new(10_000) { |n| n * 2 }).to be(true)
      expect(many / few).to be < 30
      made = task.history.select { |line| line.from.nil? && line.step_name&.start_with?("parcel[") }
      expect([made.size, made.map(&:at).uniq.size]).to eq([10_000, 1])
    end

    it "are done by several processes, whichever ends the last of them" do
      program = <<~RUBY
        handle = TaskerCore.open(ENV["URL"])
        flow = Class.new(TaskerCore::Workflow) do
          task_name "flow"
          step(:split) { |ctx| ctx.context["goods"] }
          step(:parcel, depends_on: :split, each: ->(results) { results[:split] }) { |ctx| [ctx.item, Process.pid] }
          step(:send, depends_on: :parcel) { |ctx| ctx.result(:parcel) }
        end
        handle.register(flow)
      RUBY
      handle
      first = run_program(<<~RUBY)
        #{program}
        6.times { handle.create_task("flow", context: { goods: (0...100).to_a }) }
        handle.close
      RUBY
      expect(first).to be_success, first.output
      workers = Array.new(3) { start_program("#{program}handle.work(until: :idle, threads: 3, timeout: 40)") }
      eventually(within: 40) { handle.tasks(status: :complete).count == 6 }
      results = handle.tasks.map { |task| task.step(:send).result }
      expect(results.map { |result| result.map(&:first) }).to all(eq((0...100).to_a))
      workers.each(&:kill)
    end

    it "survive faults at every point of the engine, with decisions among them" do
      flow = workflow do
        step(:way, branches: %i[list plain], backoff: "none", retry_limit: 20) { |ctx| ctx.route(:list) && [1, 2, 3] }
        step(:list, depends_on: :way, each: "way", backoff: "none", retry_limit: 20, &:item)
        step(:made, depends_on: :way, each: ->(results) { results[:way] }, backoff: "none", retry_limit: 20, &:item)
        step(:plain, depends_on: :way) { 1 }
        step(:finish, depends_on: %i[list made plain], backoff: "none", retry_limit: 20, &:results)
      end
      handle.register(flow)
      handle.worker(threads: 2, on_error: ->(_, _) {}).start
      points = Support::Faults.points.product(%i[panic error], [0, 1, 2, 4])
      points.sample(60, random: Random.new(RSpec.configuration.seed)).each do |point, action, after|
        task = handle.create_task("flow")
        # Nothing happens the first times, so that the fault comes in another transaction of the task.
        arm(point, :delay, times: after) if after.positive?
        arm(point, action)
        done = eventually(within: 20) do
          task.reload.complete?
        rescue TaskerCore::InternalError, TaskerCore::DatabaseError, TaskerCore::ValidationError
          nil
        end
        disarm_faults
        expect([point, action, after, done, task.reload.step(:finish).result])
          .to eq([point, action, after, true, { "list" => [1, 2, 3], "made" => [1, 2, 3], "plain" => nil }])
      end
    end

    it "survive kill -9 of whoever made the list, did an item or put the results together" do
      program = <<~RUBY
        handle = TaskerCore.open(ENV["URL"], lease: 1)
        handle.register({ name: "flow", steps: [
          { name: "split" }, { name: "parcel", depends_on: "split", each: ->(r) { puts "list"; r[:split] } },
          { name: "send", depends_on: "parcel" }
        ] }, handlers: { split: ->(_) { (0...200).to_a }, send: ->(ctx) { ctx.result(:parcel).sum },
                         parcel: ->(ctx) { puts "item \#{ctx.item}"; sleep(0.002); ctx.item } })
        $stdout.sync = true
      RUBY
      handle
      first = start_program("#{program}handle.create_task('flow') && handle.work(threads: 2)")
      await_words(first, /^list/)
      first.kill
      task = eventually { handle.tasks.first }
      3.times do
        another = start_program("#{program}handle.work(threads: 2)")
        await_words(another, /^item/)
        another.kill
      end
      outcome = run_program("#{program}handle.work(until: :idle, timeout: 30)\nhandle.close")
      expect(outcome).to be_success, outcome.output
      expect(task.reload.step(:send).result).to eq(19_900)
      expect(completions).to eq(203)
    end
  end

  context "in a template" do
    let(:handle) { TaskerCore.open("sqlite::memory:") }

    after { handle.close }

    def faults(steps, **options)
      error_of { handle.register({ name: "t", steps: steps }, **options) }
        .faults.map { |fault| fault.values_at(:path, :message) }
    end

    def steps(each, **options)
      [{ name: "split", handler: ->(_) { [] } },
       { name: "parcel", depends_on: "split", each: each, handler: lambda(&:item), **options }]
    end

    it "are checked with the graph" do
      expect(faults(steps("splitt"))).to match([["steps[1].each",
                                                 /does not depend on "splitt" \(did you mean "split"/]])
      expect(faults(steps(7))).to match([["steps[1].each", /the name of a step/]])
      expect(faults(steps(false))).to match([["steps[1].each", /the name of a step/]])
      expect(faults(steps("split", branches: ["x"])).map(&:first)).to include("steps[1].branches")
      taken = [*steps("split"), { name: "parcel[2]", handler: ->(_) {} }]
      expect(faults(taken)).to match([["steps[2].name", /is what an item of the step "parcel" is called/]])
    end

    it "need what makes their list, where that has no place in a parent's result" do
      expect(faults(steps(true))).to match([["steps[1].each",
                                             /has nothing that makes it; give it as each: \{ "parcel"/]])
      list = ->(_) { [] }
      expect(faults(steps(true), each: { parcel: 7 })).to match([["steps[1].each", /no method call/]])
      expect(faults(steps("split"), each: { parcel: list })).to match([["each.parcel", /does not say each: true/]])
      expect(faults(steps(true), each: { parcel: list, parcell: list }))
        .to match([["each.parcell", /does not exist \(did you mean "parcel"/]])
    end

    it "print, and come back through each door" do
      template = handle.register({ name: "t", steps: steps(->(_) { [1] }) })
      expect(template.to_h[:steps][1][:each]).to be(true)
      expect(YAML.safe_load(template.to_yaml)["steps"][1]["each"]).to be(true)
      other = TaskerCore.open("sqlite::memory:")
      expect(other.register(template)).to eq(template)
      Tempfile.create(["t", ".yml"]) do |file|
        file.write(template.to_yaml) && file.flush
        expect(error_of { other.register(file.path) }.message).to include("each: {")
        again = other.register(file.path, handlers: template.handlers, each: template.lists)
        expect(again).to eq(template)
      end
      task = other.create_task("t")
      other.work(until: :idle, timeout: 20)
      expect(task.reload.step(:parcel).result).to eq([1])
      other.close
      named = handle.register({ name: "t", version: "2.0.0", steps: steps("split") })
      expect(YAML.safe_load(named.to_yaml)["steps"][1]["each"]).to eq("split")
    end

    it "are fixed by a version, but not the code that makes their list" do
      handle.register({ name: "t", steps: steps(->(_) { [1] }) })
      handle.create_task("t")
      handle.register({ name: "t", steps: steps(->(_) { [2] }) })
      expect(faults(steps("split")).map(&:first)).to eq(%w[version steps[1].each])
      expect(faults(steps(nil)).map(&:first)).to eq(%w[version steps[1].each])
    end
  end

  it "can be run in tests, over their retries" do
    require "tasker_core/testing"
    memory = TaskerCore.open("sqlite::memory:")
    flow = shipment(retry_limit: 2) do |ctx|
      raise TaskerCore::RetryableError.new("later", retry_after: 3600) if ctx.item == 2 && ctx.attempt == 1

      ctx.item
    end
    memory.register(flow)
    task = memory.create_task("flow", context: { goods: [1, 2, 3] })
    error = error_of { TaskerCore::Testing.run_workflow(memory, task, timeout: 10) }
    expect(error).to be_a(TaskerCore::Testing::NotEndedError)
    expect(error.message).to include("parcel needs parcel[1]", "parcel[1] waits for attempt 2")
    run = TaskerCore::Testing.run_workflow(memory, task, travel: true, timeout: 10)
    expect([run.status, run.task.step(:send).result]).to eq(["complete", [1, 2, 3]])
    memory.close
  end

  it "can be tried without a database" do
    require "tasker_core/testing"
    handler = ->(ctx) { [ctx.item, ctx.item_index, ctx.step_name, ctx.results] }
    expect(TaskerCore::Testing.run_step(handler, item: { a: 1 }, item_index: 3, results: { split: [1] }))
      .to eq([{ "a" => 1 }, 3, "step[3]", { "split" => [1] }])
    expect(TaskerCore::Testing.run_step(handler)).to eq([nil, nil, "step", {}])
    flow = shipment { |ctx| ctx.item + 1 }
    expect(TaskerCore::Testing.run_step(flow, :parcel, item: 1)).to eq(2)
    expect do
      TaskerCore::Testing.run_step(flow, :parcel)
    end.to raise_error(TaskerCore::ValidationError, /item: is missing/)
    expect { TaskerCore::Testing.run_step(flow, :send, item: 1) }
      .to raise_error(TaskerCore::ValidationError, /not done for each/)
    expect { TaskerCore::Testing.run_step(flow, :parcel, item: 1, item_index: 10_000) }
      .to raise_error(TaskerCore::ValidationError, /0 to 9999/)
  end
end
