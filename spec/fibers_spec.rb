# frozen_string_literal: true

RSpec.describe "With a Fiber scheduler" do
  each_database do
    # What the blocks gave, each run as a fiber of one thread with a scheduler.
    def in_fibers(*blocks)
      results = Array.new(blocks.size)
      Support::FiberScheduler.run do
        blocks.each_with_index { |block, n| Fiber.schedule { results[n] = block.call } }
      end
      results
    end

    it "ten fibers of one thread wait for ten tasks at the same time" do
      gates = Array.new(10) { Support::Gate.new }
      handle.register(single { |ctx| gates[ctx.context["n"]].wait && ctx.context["n"] })
      handle.worker(threads: 10).start
      waiting = journal
      fibers = Array.new(10) do |n|
        lambda do
          task = handle.create_task("flow", context: { n: n })
          waiting << n
          task.wait(timeout: 20).step(:only).result
        end
      end
      # They are let go in the opposite order, once all of them wait.
      opener = Thread.new do
        eventually { gates.all? { |gate| gate.waiting == 1 } && waiting.size == 10 }
        gates.reverse_each(&:open)
      end
      expect(in_fibers(*fibers)).to eq((0...10).to_a)
      opener.join
    end

    it "other fibers go on while one waits" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      steps = []
      worker = handle.worker(threads: 1)
      in_fibers(
        -> { (steps << :waits) && task.wait(timeout: 20) && (steps << :ended) },
        -> { 3.times { |n| sleep(0.01) && (steps << n) } && worker.start }
      )
      expect(steps).to eq([:waits, 0, 1, 2, :ended])
    end

    it "every call may be made, and a worker started and stopped" do
      handle.register(single { |ctx| ctx.context["n"] })
      calls = Array.new(5) do |n|
        lambda do
          task = handle.create_task("flow", context: { n: n })
          handle.work(until: :idle, threads: 1, timeout: 20)
          [task.reload.status, task.steps.first.result, task.history.empty?, handle.tasks.count.positive?]
        end
      end
      expect(in_fibers(*calls)).to eq(Array.new(5) { |n| ["complete", n, false, true] })
    end

    it "Timeout ends the wait of its own fiber only" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      short = -> { error_of { Timeout.timeout(0.05) { task.wait(timeout: 20) } }.class }
      long = -> { task.wait(timeout: 20).status }
      worker = -> { sleep(0.2) && handle.worker(threads: 1).start && :started }
      expect(in_fibers(short, long, worker, short)).to eq([Timeout::Error, "complete", :started, Timeout::Error])
    end

    it "an error of a call reaches the fiber that made it" do
      calls = Array.new(3) { -> { error_of { handle.create_task("none") }.class } }
      expect(in_fibers(*calls, -> { handle.tasks.count }))
        .to eq([TaskerCore::NotFoundError, TaskerCore::NotFoundError, TaskerCore::NotFoundError, 0])
    end
  end
end
