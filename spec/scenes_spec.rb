# frozen_string_literal: true

require_relative "../chaos/scenes/scene"

# Whether bin/faults sees what it is there for.
RSpec.describe "A scene of faults" do
  let(:folder) { Dir.mktmpdir("tasker-scenes") }

  after { FileUtils.rm_rf(folder) }

  each_database do
    let(:task) { handle.create_task("flow") }
    let(:events) { [] }

    before do
      handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { 1 } })
      handle.subscribe("task.*", "step.*") { |event| events << event }.tap do |subscription|
        task
        handle.work(until: :idle, timeout: 20)
        subscription.flush
      end
    end

    # What the check says when these events were told.
    def broken(told)
      Chaos::Scenes::Told.new(folder).tap { |file| told.each { |event| file.add(event) } }
      Chaos::Scenes::Told.broken(folder) { |id| handle.task(id).history }
    end

    it "finds nothing in what was told where nothing happened, nor where something was missed" do
      expect(events.size).to eq(6)
      expect(broken(events)).to eq([])
      expect(broken(events.values_at(0, 3, 4))).to eq([])
    end

    it "sees what is told twice, too early, or though it never happened" do
      expect(broken([*events, events.last]).join).to match(/the task was told as \["in_progress", "complete", nil\]/)
      expect(broken(events.reverse).size).to eq(3)
      never = events.last.to_h.merge(to: "error")
      expect(broken([Struct.new(*never.keys).new(*never.values)]).join).to include("error")
    end
  end

  on_sqlite do
    def complaints(*faults)
      faults = faults.map { |point, action, passing| { "point" => point, "action" => action, "passing" => [passing] } }
      scene = Chaos::Scenes::Scene.new(database.url, folder, "scene", faults)
      scene.run
      scene.complaints
    end

    it "complains of a process that ends, and goes on with another" do
      expect(complaints(["call", "abort", 0], ["call", "error", 3], ["settled", "abort", 2])).to match(
        [/\Aabort at scene \(after 0\) ended the process/]
      )
    end

    it "complains of a process that lives on though it was to end" do
      expect(complaints(["call", "error", 0], ["call", "panic", 1])).to match(
        [/\Apanic at scene \(after 1\) did not end the process/]
      )
    end
  end
end
