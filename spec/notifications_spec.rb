# frozen_string_literal: true

require "active_support"
require "active_support/notifications"

RSpec.describe TaskerCore::Notifications do
  each_database do
    # Subscribes with ActiveSupport until the example ends.
    def hear(pattern, into: heard, &block)
      block ||= ->(name, _, _, _, payload) { into << [name, payload] }
      (@subscribers ||= []) << ActiveSupport::Notifications.subscribe(pattern, block)
    end

    def heard
      @heard ||= Support::Journal.new
    end

    after { @subscribers&.each { |subscriber| ActiveSupport::Notifications.unsubscribe(subscriber) } }

    it "gives the same events to those who subscribed before" do
      hear(/\.tasker\z/)
      task = run_task(single { 1 })
      eventually { heard.to_a.map(&:first).include?("worker_stopped.tasker") }
      names = heard.to_a.map(&:first)
      expect(names).to include("handler_registered.tasker", "task_created.tasker", "step_complete.tasker",
                               "task_complete.tasker")
      expect(names.uniq).to eq(names)
      _, payload = heard.to_a.find { |name, _| name == "step_complete.tasker" }
      expect(payload).to include(name: "step.complete", task_id: task.id, step_name: "only", task_name: "flow",
                                 from: "in_progress", to: "complete", attempt: 1)
    end

    it "gives them to those who subscribe later, and each but once, however many handles there are" do
      other = open_handle
      handle.register(single { 1 })
      handle.create_task("flow")
      hear("task_created.tasker")
      other.register(single { 1 })
      tasks = [handle, other, handle].map { |each| each.create_task("flow") }
      eventually { heard.size >= 3 }
      hear("task_complete.tasker")
      handle.work(until: :idle, timeout: 20)
      eventually { heard.size >= 7 }
      created = heard.to_a.filter_map { |name, payload| payload[:task_id] if name == "task_created.tasker" }
      expect(created).to eq(tasks.map(&:id))
      expect(heard.to_a.map(&:first).tally).to eq("task_created.tasker" => 3, "task_complete.tasker" => 4)
    end

    it "gives what a worker does first to those who subscribed before it started" do
      handle.register(single { 1 })
      1.upto(30) do |round|
        handle.create_task("flow")
        subscriber = hear("task_complete.tasker").last
        handle.work(until: :idle, timeout: 20)
        eventually { heard.size == round }
        ActiveSupport::Notifications.unsubscribe(subscriber)
      end
    end

    it "reaches those who subscribe while a worker idles" do
      handle.register(single { 1 })
      handle.worker(threads: 1).start
      hear("task_complete.tasker")
      # Another process's task, of which this one hears only by working on it.
      eventually do
        ask_program('puts TaskerCore.open(ENV["URL"]).create_task("flow").id.to_json')
        heard.size.positive?
      end
    end

    it "goes on after a subscriber that raises" do
      errors = Queue.new
      TaskerCore.configure { |c| c.on_error = ->(error, event) { errors << [error, event] } }
      hear("task_created.tasker") { |*| raise "no" }
      handle.register(single { 1 })
      2.times { handle.create_task("flow") }
      first = errors.pop
      expect(first.last.name).to eq("task.created")
      expect(first.first.message).to include("no")
      expect(errors.pop.last.sequence).to eq(2)
    ensure
      TaskerCore.configure { |c| c.on_error = nil }
    end

    it "lasts as long as any handle on the database, and is made anew for the next" do
      other = open_handle
      hear("task_created.tasker")
      handle.register(single { 1 })
      handle.create_task("flow")
      handle.close
      other.create_task("flow")
      eventually { heard.size == 2 }
      other.close
      open_handle.create_task("flow")
      eventually { heard.size == 3 }
    end
  end
end
