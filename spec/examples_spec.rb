# frozen_string_literal: true

RSpec.describe "Examples" do
  def example(name, url, run: "spec")
    start_command([RbConfig.ruby, "-W1", "-I#{Support::ROOT}/lib", "#{Support::ROOT}/examples/#{name}.rb",
                   "--database", url, "--run", run], folder: folder)
  end

  let(:folder) { Dir.mktmpdir("tasker-examples") }

  after { FileUtils.rm_rf(folder) }

  def row(outcome, *cells)
    outcome.lines.map { |line| line.strip.split(/\s{2,}/) }.find { |found| found.first(cells.size) == cells }
  end

  each_database do
    it "order_fulfilment shows attempts, results and the reason of the failure" do
      outcome = example("order_fulfilment", database.url).outcome
      expect(outcome).to be_success, outcome.output
      expect(row(outcome, "1001", "ship", "complete", "1")).not_to be_nil
      expect(row(outcome, "1002", "charge", "complete", "3")).not_to be_nil
      expect(row(outcome, "1003", "charge", "error", "1").last).to include("declined")
      expect(row(outcome, "1003", "ship", "pending", "0")).not_to be_nil
    end

    it "order_fulfilment runs nothing again when it is started again" do
      example("order_fulfilment", database.url).outcome
      outcome = example("order_fulfilment", database.url).outcome
      expect(outcome).to be_success, outcome.output
      expect(outcome.output).to include("0 steps ran")
    end

    it "order_fulfilment goes on after kill -9" do
      first = example("order_fulfilment", database.url)
      await_words(first, /order 1001: charged/)
      first.kill
      database.expire_leases
      outcome = example("order_fulfilment", database.url).outcome
      expect(outcome).to be_success, outcome.output
      expect(outcome.output).to match(/\d+ of 16 steps were recorded/)
      expect(outcome.output).not_to match(/order 1001: valid/)
      [1001, 1002, 1004].each { |order| expect(row(outcome, order.to_s, "ship", "complete")).not_to be_nil }
      expect(row(outcome, "1003", "charge", "error")).not_to be_nil
    end

    it "refunds makes one task of two requests, finds out the bank, and searches" do
      2.times do
        outcome = example("refunds", database.url).outcome
        expect(outcome).to be_success, outcome.output
        expect(outcome.output).to include("4 requests are 3 refunds.", "result.paid: \"half of it\" is not of type")
        expect(row(outcome, "customer Ada", "2").last).to eq("8: complete, 7: complete")
        expect(row(outcome, "order 9", "1").last).to eq("9: error")
        expect(row(outcome, "looked into", "1").last).to eq("9: error")
        expect(row(outcome, "this hour", "3")).not_to be_nil
      end
    end
  end

  on_sqlite do
    it "stdlib_census counts Ruby's own library in more than 50 steps" do
      outcome = example("stdlib_census", database.url).outcome
      expect(outcome).to be_success, outcome.output
      expect(row(outcome, "complete")[1].to_i).to be > 50
      report = JSON.parse(File.read("#{folder}/tmp/demo/stdlib_census.json"))
      expect(report["total"]["files"]).to be > 300
      expect(report["folders"].map { |one| one["lines"] }.sum).to eq(report["total"]["lines"])
    end

    it "stdlib_census counts nothing twice that was counted before kill -9" do
      first = example("stdlib_census", database.url)
      eventually(within: 30) { first.text.scan(/^  count /).size > 25 }
      first.kill
      database.expire_leases
      done = handle.tasks(name: "stdlib_census", namespace: "demo").first.steps.select(&:complete?).map(&:name)
      outcome = example("stdlib_census", database.url).outcome
      expect(outcome).to be_success, outcome.output
      again = outcome.output.scan(/^  (count \S+)/).flatten
      expect(again & done).to eq([])
      expect(File).to exist("#{folder}/tmp/demo/stdlib_census.json")
    end
  end

  it "say how they are called" do
    outcome = start_command([RbConfig.ruby, "-I#{Support::ROOT}/lib",
                             "#{Support::ROOT}/examples/order_fulfilment.rb", "--help"], folder: folder).outcome
    expect(outcome.output).to include("--database", "--run")
  end

  it "in the README run as they stand there" do
    source = File.read("#{Support::ROOT}/README.md")[/```ruby\n(require "tasker_core".+?)```/m, 1]
    outcome = run_program(source, preamble: "", folder: folder)
    expect(outcome).to be_success, outcome.output
    expect(outcome.lines).to eq([
                                  'validate: complete, attempts 1, {"total"=>42, "order"=>7}',
                                  'reserve: complete, attempts 1, {"reserved"=>true}',
                                  'charge: complete, attempts 2, {"charged"=>42}',
                                  "ship: complete, attempts 1, sent for 42"
                                ])
  end
end
