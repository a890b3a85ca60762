# frozen_string_literal: true

require "tasker_core/testing"

RSpec.describe "Fifty threads on a pool of five" do
  testing = TaskerCore::Testing

  each_database do
    after { testing.cleanup }

    # Runs the block in 50 threads that start together; what each gave, or raised.
    def fifty
      ready = gate
      threads = Array.new(50) do |number|
        Thread.new do
          Thread.current.report_on_exception = false
          ready.wait
          yield number
        end
      end
      eventually { ready.waiting == 50 }
      ready.open
      threads.map(&:value)
    end

    let(:crowded) { open_handle(pool: 5) }

    it "create, read and wait at once, and every task ends", limit: 120 do
      flow = testing.create_foundation(crowded, steps: ["a", { name: "b", depends_on: "a" }]) { |c| c.context["n"] }
      worker = crowded.worker(threads: 5).start
      ended = fifty do |n|
        Array.new(4) do |i|
          task = flow.create_task(context: { n: [n, i] }, key: "#{n}/#{i}")
          crowded.tasks(key: task.key).first.steps
          task.wait(timeout: 60).then { |found| [found.status, found.step(:b).result, found.history.size] }
        end
      end
      worker.stop
      expected = Array.new(50) { |n| Array.new(4) { |i| ["complete", [n, i], 9] } }
      expect(ended).to eq(expected)
      expect(crowded.info[:pool][:max]).to eq(5)
      expect(crowded.info[:pool][:size]).to be <= 5
    end

    it "run workflows of every pattern at once", limit: 120 do
      patterns = %i[linear diamond parallel tree dense]
      runs = fifty do |n|
        flow = testing.create_workflow(crowded, pattern: patterns[n % 5])
        run = testing.run_workflow(flow, threads: 1, timeout: 90)
        [run.status, flow.possible?(run.order), run.results.size == flow.steps.size]
      end
      expect(runs.tally).to eq(["complete", true, true] => 50)
    end
  end
end
