# frozen_string_literal: true

RSpec.describe "A paused queue" do
  each_database do
    def flows
      [workflow do
        namespace "shop"
        step(:first) { 1 }
        step(:mail, queue: "mail", depends_on: :first) { "sent" }
      end, workflow do
        namespace "office"
        step(:mail, queue: "mail") { "sent" }
      end]
    end

    it "is left alone by every worker until it is resumed" do
      flows.each { |flow| handle.register(flow) }
      pause = handle.pause_queue(:mail, by: "ada", reason: "the server is down")
      expect(pause).to have_attributes(queue: "mail", namespace: nil, by: "ada", reason: "the server is down")
      expect(pause.paused_at).to be_within(60).of(Time.now)
      expect(handle.pause_queue("mail", reason: "again")).to eq(pause)
      expect(handle.paused_queues).to eq([pause])
      tasks = [handle.create_task("flow", namespace: "shop"), handle.create_task("flow", namespace: "office")]
      expect(handle.work(until: :idle, timeout: 20)).to have_attributes(ran: 1, timed_out?: false)
      expect(tasks.map { |task| task.step(:mail).status }).to eq(%w[pending pending])
      expect(handle.resume_queue("mail")).to be(true)
      expect(handle.resume_queue("mail")).to be(false)
      expect(handle.work(until: :idle, timeout: 20).ran).to eq(2)
      expect(tasks.map { |task| task.reload.status }).to eq(%w[complete complete])
    end

    it "may be paused for the templates of one namespace" do
      flows.each { |flow| handle.register(flow) }
      handle.pause_queue("mail", namespace: "office")
      office = handle.create_task("flow", namespace: "office")
      shop = handle.create_task("flow", namespace: "shop")
      handle.work(until: :idle, timeout: 20)
      expect([shop.reload.status, office.step(:mail).status]).to eq(%w[complete pending])
      expect(handle.resume_queue("mail")).to be(false)
      expect(handle.resume_queue("mail", namespace: "office")).to be(true)
      handle.work(until: :idle, timeout: 20)
      expect(office.reload.status).to eq("complete")
    end

    it "lets end what is under way, and takes back what no thread has begun" do
      gate = self.gate
      ran = journal
      handle.register(single(queue: "mail") do |ctx|
        ran << ctx.context["n"]
        gate.wait
      end)
      worker = handle.worker(threads: 1).start
      tasks = handle.create_tasks("flow", contexts: Array.new(3) { |n| { n: n } })
      eventually { gate.waiting == 1 && worker.stats[:queued].positive? }
      handle.pause_queue("mail")
      eventually { worker.stats[:queued].zero? }
      gate.open
      eventually { handle.tasks(status: :complete).count == 1 }
      expect(ran.size).to eq(1)
      expect(handle.work(until: :idle, timeout: 20).timed_out?).to be(false)
      handle.resume_queue("mail")
      tasks.each { |id| expect(handle.task(id).wait(timeout: 20).status).to eq("complete") }
      expect(ran.size).to eq(3)
    end

    it "is seen within a second by the workers of other processes, which go on by themselves when it is resumed" do
      handle.register(single(queue: "mail") { 1 })
      program = start_program(<<~RUBY)
        handle = TaskerCore.open(ENV["URL"])
        flow = { name: "flow", steps: [{ name: "only", queue: "mail" }] }
        handle.register(flow, handlers: { only: ->(_) { 1 } })
        handle.worker(threads: 2).start
        puts "works"
        sleep
      RUBY
      await_words(program, /works/)
      expect(handle.create_task("flow").wait(timeout: 20).status).to eq("complete")
      handle.pause_queue("mail")
      # What it takes until it has looked is done; from the first on that stays, none is taken.
      stays = eventually(within: 10) do
        task = handle.create_task("flow")
        task if error_of_or_nil { task.wait(timeout: 0.5) }.is_a?(TaskerCore::TimeoutError)
      end
      later = handle.create_tasks("flow", contexts: Array.new(5) { {} })
      expect(error_of { stays.wait(timeout: 2) }).to be_a(TaskerCore::TimeoutError)
      expect(later.map { |id| handle.task(id).status }).to all(eq("pending"))
      handle.resume_queue("mail")
      [stays.id, *later].each { |id| expect(handle.task(id).wait(timeout: 20).status).to eq("complete") }
    end

    it "is none where the name is none" do
      [["", nil], [5, nil], [nil, nil], ["mail", ""], ["a/b", nil]].each do |name, namespace|
        expect(error_of { handle.pause_queue(name, namespace: namespace) }).to be_a(TaskerCore::ValidationError)
        expect(error_of { handle.resume_queue(name, namespace: namespace) }).to be_a(TaskerCore::ValidationError)
      end
      expect(error_of { handle.pause_queue("mail", reason: "") }).to have_attributes(path: "reason")
      expect(handle.paused_queues).to eq([])
    end

    def error_of_or_nil
      yield && nil
    rescue TaskerCore::Error => e
      e
    end
  end
end
