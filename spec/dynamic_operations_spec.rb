# frozen_string_literal: true

RSpec.describe "Operations by hand on decisions and lists" do
  def statuses(task) = task.steps.to_h { |step| [step.name, step.status] }

  # split gives what `goods` holds at the time; parcel is done for each, and send has all results.
  def shipment(goods, &parcel)
    parcel ||= ->(ctx) { ctx.item }
    workflow do
      step(:before) { 1 }
      step(:split, depends_on: :before) { goods.dup }
      step(:parcel, parcel, depends_on: :split, each: "split", retryable: false)
      step(:send, depends_on: :parcel) { |ctx| ctx.result(:parcel) }
    end
  end

  each_database do
    def work = handle.work(until: :idle, timeout: 30)

    context "when a task is restarted" do
      it "from a step before a list, makes the list anew: its items go, others come" do
        goods = [1, 2, 3]
        task = run_task(shipment(goods))
        goods.replace([7, 8])
        old = task.step("parcel[2]")
        task.restart_from(:split)
        expect(statuses(task).keys).to eq(%w[before split parcel send])
        expect { task.restart_from("parcel[2]") }.to raise_error(TaskerCore::NotFoundError, /parcel\[2\]/)
        expect { old.retry }.to raise_error(TaskerCore::NotFoundError)
        work
        expect(task.reload).to be_complete
        expect([task.step(:send).result, task.steps.size]).to eq([[7, 8], 6])
        expect(task.step("parcel[0]")).to have_attributes(attempts: 1, item: 7)
        goods.push(9, 10)
        task.restart_from(:parcel)
        work
        expect(task.step(:send).result).to eq([7, 8])
        task.restart_from(:before)
        work
        expect(task.step(:send).result).to eq([7, 8, 9, 10])
      end

      it "keeps the history of items that went and came again" do
        goods = [1]
        task = run_task(shipment(goods))
        task.restart_from(:split)
        work
        lines = task.history.select { |line| line.step_name == "parcel[0]" }
        expect(lines.map { |line| [line.from, line.to] })
          .to eq([[nil, "pending"], %w[pending in_progress], %w[in_progress complete],
                  %w[complete pending], %w[pending in_progress], %w[in_progress complete]])
      end

      it "from one item, does that one again and puts the results together anew" do
        runs = journal
        task = run_task(shipment([1, 2, 3]) { |ctx| (runs << ctx.item) && [ctx.item, runs.size] })
        expect(task.step(:send).result.map(&:first)).to eq([1, 2, 3])
        task.restart_from("parcel[1]")
        expect(statuses(task)).to include("split" => "complete", "parcel" => "pending", "send" => "pending",
                                          "parcel[0]" => "complete", "parcel[1]" => "pending")
        work
        expect(task.reload).to be_complete
        expect(runs.tally).to eq({ 1 => 1, 2 => 2, 3 => 1 })
        expect(task.step(:send).result[1]).to eq([2, 4])
        expect(task.step(:parcel).attempts).to eq(1)
      end

      it "from a decision, decides anew" do
        way = ["a"]
        flow = workflow do
          step(:check, branches: %i[a b]) { |ctx| ctx.route(way[0]) }
          step(:a, depends_on: :check) { "a" }
          step(:b, depends_on: :check) { [1, 2] }
          step(:item, depends_on: :b, each: "b", &:item)
          step(:join, depends_on: %i[a item], &:results)
        end
        task = run_task(flow)
        expect(task.step(:join).result).to eq({ "a" => "a", "item" => nil })
        way[0] = "b"
        task.restart_from(:check)
        expect(statuses(task).values).to all(eq("pending"))
        expect(task.step(:check).route).to be_nil
        work
        expect(task.reload).to be_complete
        expect(task.step(:join).result).to eq({ "a" => nil, "item" => [1, 2] })
        expect(statuses(task)).to include("a" => "skipped", "item[1]" => "complete")
        way[0] = "a"
        task.restart_from(:check)
        work
        expect([task.step(:join).result, task.steps.size]).to eq([{ "a" => "a", "item" => nil }, 5])
      end

      it "leaves out what a decision that stands has left out" do
        flow = workflow do
          step(:check, branches: %i[a b]) { |ctx| ctx.route(:a) }
          step(:other) { 1 }
          step(:a, depends_on: %i[check other]) { "a" }
          step(:b, depends_on: %i[check other]) { "b" }
          step(:after_b, depends_on: :b) { 1 }
          step(:join, depends_on: %i[a after_b], &:results)
        end
        task = run_task(flow)
        task.restart_from(:other)
        work
        expect(statuses(task.reload)).to eq({ "check" => "complete", "other" => "complete", "a" => "complete",
                                              "b" => "skipped", "after_b" => "skipped", "join" => "complete" })
      end
    end

    it "cancel items with their task: those that run are told, and none is done after" do
      flow = shipment([1, 2, 3, 4]) { |ctx| eventually { ctx.cancelled? } }
      handle.register(flow)
      task = handle.create_task("flow")
      worker = handle.worker(threads: 2).start
      eventually { worker.stats[:running] == 2 && task.reload.steps.size == 8 }
      task.cancel
      eventually { worker.stats[:late] == 2 && worker.stats[:running].zero? }
      expect(statuses(task)).to eq({ "before" => "complete", "split" => "complete", "parcel" => "cancelled",
                                     "send" => "cancelled", "parcel[0]" => "cancelled", "parcel[1]" => "cancelled",
                                     "parcel[2]" => "cancelled", "parcel[3]" => "cancelled" })
      expect(work.ran).to eq(0)
    end

    it "go on from a cancelled task with the items that it had" do
      allowed = [false]
      task = run_task(shipment([1, 2]) { |ctx| ctx.item == 1 || allowed[0] ? ctx.item : raise("no") })
      expect(task).to be_error
      task.cancel
      expect(statuses(task)).to include("parcel" => "cancelled", "parcel[0]" => "complete", "parcel[1]" => "cancelled")
      allowed[0] = true
      task.restart_from(:send)
      work
      expect([task.reload.status, task.step(:send).result]).to eq(["complete", [1, 2]])
    end

    it "try failed items again" do
      allowed = [false]
      task = run_task(shipment([1, 2, 3]) { |ctx| ctx.item == 2 && !allowed[0] ? raise("no") : ctx.item })
      expect(task.error).to include("step" => "parcel[1]")
      allowed[0] = true
      expect(task.retry).to have_attributes(status: "in_progress", error: nil)
      work
      expect([task.reload.status, task.step(:send).result]).to eq(["complete", [1, 2, 3]])
      expect(task.step("parcel[0]").attempts).to eq(1)
    end

    it "give an item its result, or go on without it" do
      task = run_task(shipment([1, 2, 3]) { |ctx| ctx.item > 1 ? raise("no") : ctx.item })
      task.step("parcel[1]").resolve(result: "by hand")
      task.step("parcel[2]").skip(reason: "lost")
      work
      expect([task.reload.status, task.step(:send).result]).to eq(["complete", [1, "by hand", nil]])
    end

    it "give a whole list its result: its items end with it" do
      task = run_task(shipment([1, 2, 3]) { |ctx| ctx.item > 1 ? raise("no") : ctx.item })
      task.step(:parcel).resolve(result: [9])
      work
      expect([task.reload.status, task.step(:send).result]).to eq(["complete", [9]])
      expect(statuses(task)).to include("parcel" => "resolved_manually", "parcel[0]" => "complete",
                                        "parcel[1]" => "cancelled", "parcel[2]" => "cancelled")
      expect(task.step("parcel[1]").result).to be_nil
    end

    it "let all branches go on when a decision is skipped or resolved by hand" do
      flow = workflow do
        step(:check, branches: %i[a b], retryable: false) { raise "can't say" }
        step(:a, depends_on: :check) { |ctx| ctx.result(:check).inspect }
        step(:b, depends_on: :check) { |ctx| ctx.result(:check).inspect }
      end
      [["skip", {}, "nil"], ["resolve", { result: 7 }, "7"]].each do |operation, options, seen|
        task = run_task(flow)
        task.step(:check).public_send(operation, **options)
        work
        expect([task.reload.status, task.step(:a).result, task.step(:b).result]).to eq(["complete", seen, seen])
      end
    end

    it "decide by hand: the branches that are not named are skipped, with what only they feed" do
      flow = workflow do
        step(:check, branches: %i[a b c], retryable: false) { raise "can't say" }
        %i[a b c].each { |name| step(name, depends_on: :check) { |ctx| ctx.result(:check) } }
        step(:after_b, depends_on: :b) { 1 }
        step(:join, depends_on: %i[a after_b c], &:results)
      end
      task = run_task(flow)
      expect { task.step(:check).resolve(route: :d) }.to raise_error(TaskerCore::ValidationError, /no branch "d"/)
      expect { task.step(:a).resolve(route: :b) }.to raise_error(TaskerCore::ValidationError, /no branches/)
      decided = task.step(:check).resolve(result: 7, route: %i[c a], by: "ann", reason: "looked at it")
      expect(decided).to have_attributes(status: "resolved_manually", route: %w[a c], result: 7)
      expect(decided.resolve(result: 7, route: %w[a c])).to eq(decided)
      expect(statuses(task)).to include("a" => "pending", "b" => "skipped", "after_b" => "skipped", "join" => "pending")
      expect(task.step(:b).history.last).to have_attributes(by: "ann", reason: "looked at it")
      work
      expect([task.reload.status, task.step(:join).result])
        .to eq(["complete", { "a" => 7, "after_b" => nil, "c" => 7 }])
      task.restart_from(:a)
      work
      expect(statuses(task.reload)).to include("a" => "complete", "b" => "skipped", "join" => "complete")
    end

    it "hold back a list while its task is paused, whenever the pause comes" do
      ran = journal
      at_list = gate
      flow = workflow do
        step(:split) { [1, 2] }
        step(:parcel, depends_on: :split, each: ->(results) { at_list.wait && results[:split] }) do |ctx|
          (ran << ctx.item) && ctx.item
        end
        step(:send, depends_on: :parcel) { |ctx| ctx.result(:parcel) }
      end
      handle.register(flow)
      task = handle.create_task("flow")
      handle.worker(threads: 2).start
      eventually { at_list.waiting == 1 }
      task.pause
      at_list.open
      eventually { task.steps.size == 5 }
      expect(handle.work(until: :idle, timeout: 10).ran).to eq(0)
      expect([ran.size, task.reload.status]).to eq([0, "paused"])
      task.resume
      expect(task.wait(timeout: 20).step(:send).result).to eq([1, 2])
    end

    it "decide during a pause: what is left out is skipped, what was chosen waits" do
      at_check = gate
      flow = workflow do
        step(:check, branches: %i[a b]) { |ctx| at_check.wait && ctx.route(:a) }
        step(:a, depends_on: :check) { 1 }
        step(:b, depends_on: :check) { 1 }
        step(:after_b, depends_on: :b) { 1 }
        step(:join, depends_on: %i[a after_b]) { 1 }
      end
      handle.register(flow)
      task = handle.create_task("flow")
      handle.worker(threads: 2).start
      eventually { at_check.waiting == 1 }
      task.pause
      at_check.open
      eventually { task.step(:check).complete? }
      expect(statuses(task)).to include("a" => "pending", "b" => "skipped", "after_b" => "skipped", "join" => "pending")
      task.resume
      expect(task.wait(timeout: 20)).to be_complete
      expect(statuses(task)).to include("after_b" => "skipped", "join" => "complete")
    end

    it "move the items of a list to another queue" do
      flow = shipment([1, 2, 3])
      handle.register(flow)
      task = handle.create_task("flow")
      gate = self.gate
      handle.register(shipment([1, 2, 3]) { gate.wait && 1 })
      slow = handle.create_task("flow", priority: 5)
      handle.worker(threads: 1, queues: ["default"]).start
      eventually { gate.waiting == 1 }
      slow.update(queue: "other")
      gate.open
      expect(task.wait(timeout: 20)).to be_complete
      expect(slow.reload.steps.count(&:pending?)).to be >= 2
      handle.work(until: :idle, timeout: 20)
      expect(slow.reload).to be_complete
    end

    it "purge the items with their task" do
      task = run_task(shipment([1, 2, 3]))
      expect(count("tasker_workflow_step_items")).to eq(3)
      expect(handle.purge(finished_before: Time.now + 60)).to be_positive
      expect([count("tasker_workflow_step_items"), count("tasker_workflow_steps")]).to eq([0, 0])
      expect { task.reload }.to raise_error(TaskerCore::NotFoundError)
    end
  end
end
