# frozen_string_literal: true

require "json"

RSpec.describe "bin/bench" do
  it "has a suite of the boundary that measures everything it promises", limit: 120 do
    Dir.mktmpdir do |folder|
      command = [RbConfig.ruby, "-W1", "-I#{Support::ROOT}/lib", "#{Support::ROOT}/bench/ffi.rb", "--quick",
                 "--json", "#{folder}/rows.json"]
      outcome = start_command(command, folder: folder).outcome
      expect(outcome).to be_success, outcome.output
      written = JSON.parse(File.read("#{folder}/rows.json"))
      expect(written["machine"]).to include("cpu", "cores", "ruby", "rust")
      rows = written["rows"]
      expect(rows).to all(include("name" => String, "value" => be >= 0, "unit" => String))
      expect(rows.reject { |row| row["unit"] == "objects" }).to all(include("value" => be > 0))
      expect(rows).to all(satisfy { |row| row["target"] ? [true, false].include?(row["ok"]) : row["ok"].nil? })
      expect(rows.to_h { |row| row.values_at("name", "target") }.compact).to eq(targets)
      expect(rows.map { |row| row["name"] }.uniq.size).to eq(rows.size)
    end
  end

  # What is asked of the boundary, row by row.
  def targets
    calls = ["handle.info", "task.status", "handle.valid?"].flat_map do |call|
      [["#{call}: against an empty native call", "<= 5"], ["#{call}: in all", "<= 1,000"]]
    end
    sizes = ["5 fields", "25 fields", "500 fields"].flat_map do |size|
      [["in, #{size}: typed against JSON text", "<= 0.3"], ["memory, #{size}: task against Hash", "<= 0.3"],
       ["out, #{size}, three fields: typed against JSON text", "<= 0.05"],
       ["out, #{size}, everything: typed against JSON text", "<= 0.45"]]
    end
    threads = [["typed calls a second, 5 fields, one thread", ">= 500,000"],
               ["a counting thread beside one that waits in Rust", ">= 0.95"]]
    [*calls, *sizes, *threads].to_h
  end

  it "has a suite of throughput that counts what it claims", limit: 120 do
    Dir.mktmpdir do |folder|
      command = [RbConfig.ruby, "-W1", "-I#{Support::ROOT}/lib", "#{Support::ROOT}/bench/throughput.rb", "--quick",
                 "--database", "sqlite", "--json", "#{folder}/rows.json"]
      outcome = start_command(command, folder: folder).outcome
      expect(outcome).to be_success, outcome.output
      rows = JSON.parse(File.read("#{folder}/rows.json"))["rows"]
      expect(rows).to all(include("name" => start_with("sqlite: "), "value" => be > 0))
      expect(rows.to_h { |row| row.values_at("name", "target") }.compact)
        .to eq("sqlite: create_task against a bare commit" => "<= 1.3", "sqlite: 16 threads against one" => ">= 6",
               "sqlite: create_tasks, 1,000 diamonds a call" => ">= 20,000",
               "sqlite: of what as many sleepers could do" => ">= 0.95",
               "sqlite: two processes against one" => ">= 1.8")
    end
  end

  it "has a suite that tells where the processor time goes", limit: 120 do
    Dir.mktmpdir do |folder|
      command = [RbConfig.ruby, "-W1", "-I#{Support::ROOT}/lib", "#{Support::ROOT}/bench/profile.rb", "--quick",
                 "--database", "sqlite", "--json", "#{folder}/rows.json"]
      outcome = start_command(command, folder: folder).outcome
      expect(outcome).to be_success, outcome.output
      rows = JSON.parse(File.read("#{folder}/rows.json"))["rows"].to_h { |row| row.values_at("name", "target") }
      # Where perf may not look, the report says so.
      expect(rows).to include("sqlite: without SQLite and the kernel" => "<= 25", "sqlite: ours" => nil)
        .or eq("sqlite: processor time" => nil)
    end
  end

  it "explains itself" do
    outcome = start_command(["#{Support::ROOT}/bin/bench", "--help"]).outcome
    expect(outcome).to be_success
    expect(outcome.output).to include("ffi", "throughput", "--database", "--json", "--quick")
    expect(start_command(["#{Support::ROOT}/bin/bench", "nothing"]).outcome).not_to be_success
  end

  # What the bench compares does the same.
  describe "its twins" do
    let(:bench) { TaskerCore::Native::Bench.new }

    def answer
      yield
      :taken
    rescue TaskerCore::ValidationError
      :refused
    end

    it "take and refuse the same options, as Hash and as JSON text" do
      good = { name: "n", context: { a: [1, 2.5, nil, true, "é"] } }
      cases = { good => :taken, good.merge(tags: ["a"], priority: 3, on_duplicate: "return") => :taken,
                good.merge(run_at: "2026-01-31T12:00:00Z") => :taken, good.merge(priority: 1.5) => :refused,
                good.merge(nmae: 1) => :refused, { context: {} } => :refused, good.merge(tags: "a") => :refused,
                good.merge(on_duplicate: "keep") => :refused, good.merge(run_at: "tomorrow") => :refused }
      cases.each do |input, expected|
        expect([input, answer { bench.read_task(input) }]).to eq([input, expected])
        expect([input, answer { bench.read_task_json(JSON.generate(input)) }]).to eq([input, expected])
      end
    end

    it "give the same task, as an object and as JSON text" do
      handle = TaskerCore.open("sqlite::memory:")
      handle.register(single { 1 })
      task = handle.create_task("flow", context: { a: [1, 2.5, nil] }, tags: ["x"])
      again = TaskerCore::Native::Bench.return_task(task)
      expect(again).to eq(task)
      expect(again).not_to equal(task)
      expect(JSON.parse(task.to_json)).to eq(again.as_json)
      handle.close
    end
  end
end
