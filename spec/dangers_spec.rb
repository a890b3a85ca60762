# frozen_string_literal: true

# Ruby's own dangers that no other spec has: RELIABILITY.md names the example for each.
RSpec.describe "A handler that" do
  each_database do
    it "calls exit! ends its process as a crash does, and its step runs again elsewhere" do
      victim = run_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"], lease: 1)
        handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { exit!(7) } })
        handle.create_task("flow", key: "k")
        handle.work(until: :idle)
      RUBY
      expect(victim.status.exitstatus).to eq(7)
      heir = open_handle(lease: 1)
      heir.register(single { "done" })
      heir.work(until: :idle, timeout: 20)
      task = heir.tasks(key: "k").first
      expect(task.step(:only)).to have_attributes(status: "complete", result: "done", attempts: 1)
      expect(task.history.map(&:metadata).compact.to_s).to match(/crash/)
    end

    it "returns 50 MB has failed for good, unless so much is allowed; then they come back" do
      megabytes = 50 << 20
      handle.register(single { "x" * megabytes })
      refused = handle.create_task("flow")
      handle.work(until: :idle, timeout: 30)
      expect(refused.step(:only)).to have_attributes(status: "error", attempts: 1)
      expect(refused.step(:only).error["message"]).to match(/\A.{0,200}16 MiB.{0,200}\z/)
      wide = open_handle(max_result_bytes: 64 << 20)
      wide.register(workflow("wide") do
        step(:big) { "x" * megabytes }
        step(:small, depends_on: :big) { |ctx| ctx.result(:big).size }
      end)
      task = wide.create_task("wide")
      wide.work(until: :idle, timeout: 30)
      expect(task.step(:small).result).to eq(megabytes)
      expect(task.step(:big).result.bytesize).to eq(megabytes)
      expect(wide.tasks.first.status).to eq("complete")
    end

    it "closes stdout, stderr and stdin harms nobody but whoever prints" do
      outcome = run_program(<<~RUBY)
        TaskerCore.configure { |c| c.logger = nil }
        handle = TaskerCore.open(ENV["URL"])
        handle.register({ name: "flow", steps: [{ name: "closes" },
                                                { name: "prints", depends_on: "closes", retryable: false }] },
                        handlers: { closes: ->(_) { [$stdout, $stderr, $stdin].each(&:close) && 1 },
                                    prints: ->(_) { puts "lost" } })
        task = handle.create_task("flow", key: "k")
        handle.work(until: :idle, timeout: 20)
        handle.close
      RUBY
      expect(outcome).to be_success
      steps = handle.tasks(key: "k").first.steps
      expect(steps.map(&:status)).to eq(%w[complete error])
      expect(steps.last.error["message"]).to include("closed stream")
    end

    it "changes what its process has everywhere changes nothing here" do
      outcome = run_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"])
        wild = lambda do |_|
          ENV.clear
          $, = nil
          Dir.chdir("/")
          srand(1)
          GC.disable
          Thread.current.name = nil
          Thread.current.priority = -3
          Thread.report_on_exception = false
          Thread.current.keys.each { |key| Thread.current[key] = nil }
          trap("INT", "IGNORE")
          $stdout = StringIO.new
          1
        end
        require "stringio"
        handle.register({ name: "flow", steps: [{ name: "wild" }, { name: "next", depends_on: "wild" }] },
                        handlers: { wild: wild, next: ->(ctx) { ctx.result(:wild) + 1 } })
        tasks = Array.new(10) { handle.create_task("flow") }
        handle.work(until: :idle, threads: 3, timeout: 20)
        STDOUT.puts JSON.generate(tasks.map { |task| task.step(:next).result })
      RUBY
      expect(outcome.json).to eq([2] * 10)
    end

    it "loops for ever keeps one thread, and no other task from running" do
      stop = false
      handle.register(single(timeout: 0.3, retryable: false) { nil until stop })
      handle.register(single("other") { 1 })
      handle.worker(threads: 2).start
      stuck = handle.create_task("flow")
      expect(Array.new(5) { handle.create_task("other") }.map { |task| task.wait(timeout: 20).status }.uniq)
        .to eq(["complete"])
      expect(stuck.wait(timeout: 20).step(:only).error["message"]).to match(/timeout/)
    ensure
      stop = true
    end
  end
end
