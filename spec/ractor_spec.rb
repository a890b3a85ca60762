# frozen_string_literal: true

RSpec.describe "Ractors" do
  # In a process of its own: Ruby warns of Ractors, and once there was one it runs differently.
  def in_program(body)
    ask_program(<<~RUBY, url: database.url)
      Warning[:experimental] = false
      handle = TaskerCore.open(ENV.fetch("URL"))
      handle.register({ name: "flow", steps: [{ name: "a", handler: ->(_) { { "done" => true } } }] })
      task = handle.create_task("flow", context: { list: [{ "sku" => "tea" }] * 3 }, tags: ["red"])
      handle.work(until: :idle, timeout: 20)
      task = task.reload
      snapshots = [task, task.steps.first, task.history.last, task.annotate("note", { "n" => [1] }), handle.info]
      #{body}
    RUBY
  end

  def ask_program(source, url:)
    super(source, env: { "URL" => url })
  end

  each_database do
    it "may share every snapshot" do
      expect(in_program("puts JSON.generate(snapshots.map { |one| Ractor.shareable?(one) })")).to all(be(true))
    end

    it "read and compare snapshots that others made" do
      same = in_program(<<~RUBY)
        look = "[to_h, self == itself, inspect, to_s, as_json, to_json, hash, deconstruct_keys(nil), Marshal.dump(self)]"
        there = Ractor.new(snapshots, look) { |all, code| all.map { |one| one.instance_eval(code) } }.take
        puts JSON.generate(snapshots.zip(there).map { |one, seen| one.instance_eval(look) == seen })
      RUBY
      expect(same).to eq([true] * 5)
    end

    it "answer questions of a task's status" do
      expect(in_program(<<~RUBY)).to eq([true, true, false, "complete"])
        ask = Ractor.new(task) { |one| [one.complete?, one.ended?, one.pending?, one.status] }
        puts JSON.generate(ask.take)
      RUBY
    end

    it "read at the same time, with garbage collections between" do
      expect(in_program(<<~RUBY)).to eq([true] * 4)
        ractors = Array.new(4) do
          Ractor.new(task, task.to_h) do |one, expected|
            500.times.all? { |n| GC.start if n % 100 == 0; one.to_h == expected && one.to_json.size > 100 }
          end
        end
        GC.compact
        puts JSON.generate(ractors.map(&:take))
      RUBY
    end

    it "keep a snapshot that only they hold" do
      expect(in_program(<<~RUBY)).to eq([%w[flow tea]] * 50)
        holder = Ractor.new { kept = Array.new(50) { Ractor.receive }; Ractor.receive; kept.map { |one| [one.name, one.context["list"][0]["sku"]] } }
        50.times { holder.send(task.reload) }
        3.times { GC.start }
        holder.send(:go)
        puts JSON.generate(holder.take)
      RUBY
    end

    it "are told that only the main one asks the database" do
      said = in_program(<<~RUBY)
        asks = { steps: [], step: ["a"], history: [], reload: [], wait: [], annotations: [], annotate: ["a", 1] }
        errors = Ractor.new(task, asks) do |one, all|
          all.map { |name, arguments| one.public_send(name, *arguments) && nil rescue [$!.class.name, $!.message] }
        end
        puts JSON.generate(errors.take)
      RUBY
      expect(said.map(&:first)).to all(eq("TaskerCore::Error"))
      expect(said.map(&:last)).to all(match(/only the main one can ask the database/))
    end
  end
end
