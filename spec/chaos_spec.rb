# frozen_string_literal: true

require_relative "../chaos/databases"
require_relative "../chaos/schedule"
require_relative "../chaos/verdict"
require_relative "../chaos/workflows"

# Whether the verdict of bin/chaos sees what it is there for: a small run that nothing happened to, and then one thing
# that is not as it should be.
RSpec.describe "The verdict on a storm" do
  each_database do
    let(:folder) { Dir.mktmpdir("tasker-chaos") }
    let(:storm) { Chaos.database(database.url, nil) }

    before do
      Chaos::Workflows.new(Chaos::Journal.new(folder)).register(handle)
      @tasks = %w[flaky diamond].map { |name| handle.create_task(name, context: { "seed" => 1, "number" => 2 }) }
      handle.work(until: :idle, timeout: 30)
      @runs = Chaos::Journal.read(folder)
    end

    after { FileUtils.rm_rf(folder) }

    def verdict(created: @tasks.map(&:id))
      Chaos::Verdict.new(handle, storm, @runs, created)
    end

    # The names of the checks that fail.
    def failing(**options) = verdict(**options).broken.reject { |_, found| found.empty? }.keys

    # SQL for the last task's row of a step. The diamond's steps are top, left, right and bottom.
    def change(assignment, index)
      id = database.query("SELECT #{storm.class::TASK.sub("%s", "id")} FROM tasker_tasks ORDER BY id")[-1][0]
      database.query("UPDATE tasker_workflow_steps SET #{assignment} " \
                     "WHERE #{storm.class::TASK.sub("%s", "task_id")} = '#{id}' AND idx = #{index}")
    end

    def runs_of(step) = @runs.select { |run| run.task == @tasks.last.id && run.step == step }

    it "finds nothing where nothing happened, and counts what did" do
      expect(verdict.complaints).to eq([])
      expect(verdict.figures).to include(tasks: 2, steps: 8, runs: @runs.size, begun_again: 0, late_results: 0)
      expect(@runs.size).to be > 8
    end

    it "sees a task that is lost, and one that nobody asked for" do
      expect(failing(created: [*@tasks.map(&:id), "another"])).to eq(["every task is there once"])
      expect(failing(created: [@tasks.first.id])).to eq(["every task is there once"])
    end

    it "sees a task that did not end" do
      @tasks << handle.create_task("chain", context: {})
      expect(failing).to include("every task ended", "nothing is left in the queue", "tasks count their steps")
    end

    it "sees an attempt that the history lacks" do
      @runs << runs_of("left").first.dup.tap { |run| run.id = "one more" }
      expect(failing).to eq(["what ran is in the history"])
      expect(verdict.complaints.join).to match(/left: 2 runs of attempt 1, and 1 in the history/)
    end

    it "sees a result that no run returned" do
      runs_of("bottom").first.value = "something else"
      expect(failing).to eq(["results are recorded once, and right"])
    end

    it "sees a result that is wrong, though a run returned it" do
      run = runs_of("bottom").first
      run.value = "0000@#{run.id}"
      change("result = '#{run.value.to_json}'", 3)
      expect(failing).to eq(["results are recorded once, and right"])
      expect(verdict.complaints.join).to include("a result that is wrong")
    end

    it "sees a result that replaced the one that a child saw" do
      late = runs_of("left").first.dup
      late.value = late.value.sub(/@.*/, "@late")
      late.id = "late"
      @runs << late
      change("result = '#{late.value.to_json}'", 1)
      expect(failing).to include("no step began before its parents' results", "what ran is in the history")
    end

    it "sees that the recorded run is not of the hold that was settled" do
      runs_of("bottom").first.began_at -= 60_000_000
      expect(failing).to include("no late report replaced a result")
    end

    it "sees a step that began before its parent's result was recorded" do
      runs_of("left").first.parents.clear
      expect(failing).to eq(["no step began before its parents' results"])
    end

    it "sees an error that no budget accounts for" do
      change("state = 'error'", 3)
      expect(failing).to include("every task ended", "errors used up their budgets", "tasks count their steps")
    end

    it "sees a history that is torn" do
      database.query("UPDATE tasker_workflow_step_transitions SET from_state = 'error' WHERE to_state <> 'complete'")
      expect(failing).to eq(["histories lead to the states"])
    end

    it "sees attempts that are counted wrongly" do
      change("attempts = attempts + 1", 0)
      expect(failing).to include("attempts are counted")
    end

    it "sees a counter of parents that is wrong" do
      change("state = 'pending', waiting = 2, result = NULL", 3)
      expect(failing).to include("steps count their unfinished parents", "every task ended")
    end

    it "sees a move that has no place in the history" do
      change("token = token + 1", 2)
      expect(failing).to include("every move of a step has its place in the history")
    end

    it "does not mind a line that a kill cut short" do
      path = Dir["#{folder}/*.jsonl"].first
      File.write(path, '{"run":"cut sho', mode: "a")
      expect(Chaos::Journal.read(folder)).to eq(@runs)
    end
  end

  it "is asked of faults that a seed draws, and a file repeats" do
    options = { kills: 100, seconds: 45, workers: 4 }
    faults = Chaos::Schedule.draw(7, "postgres", **options)
    expect(faults).to eq(Chaos::Schedule.draw(7, "postgres", **options))
    expect(faults).not_to eq(Chaos::Schedule.draw(8, "postgres", **options))
    expect(faults.map { |fault| fault["fault"] }.tally).to include("kill" => 100, "restart" => 4)
    Tempfile.create("schedule") do |file|
      Chaos::Schedule.write(file.path, faults)
      expect(Chaos::Schedule.read(file.path)).to eq(faults)
    end
  end
end
