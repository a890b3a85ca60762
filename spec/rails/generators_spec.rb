# frozen_string_literal: true

# What the generators write, and that it works as it stands.
RSpec.describe "Rails' generators", limit: 120 do
  def generate(*words)
    @booted.run(<<~RUBY)
      require "rails/generators"
      require "stringio"
      before = [$stdout, $stderr]
      $stdout = $stderr = StringIO.new
      begin
        generator = Rails::Generators.find_by_namespace(#{words.first.inspect})
        generator.start(#{words.drop(1).inspect}, destination_root: Rails.root.to_s, debug: true)
        $stdout.string
      ensure
        $stdout, $stderr = before
      end
    RUBY
  end

  context "in an app on SQLite with Minitest" do
    before(:context) do
      @app = Support::RailsApp.new("sqlite3")
      @app.write("Procfile.dev", "web: bin/rails server")
      @app.write(".gitignore", "/log/*\n")
      @app.write("app/models/order.rb", "class Order < ActiveRecord::Base\nend\n")
      @booted = @app.boot
      @said = generate("tasker:install")
      generate("tasker:workflow", "Order", "validate", "reserve", "charge:validate", "ship:reserve,charge")
      generate("tasker:step", "Order", "refund:ship")
      generate("tasker:workflow", "shop/refund_workflow", "ask")
    end

    after(:context) { @app.release }

    it "install what an app needs, without a migration" do
      expect(@said).to include("The tasks are in an SQLite file")
      expect(Dir.glob("db/migrate/*", base: @app.folder)).to eq([])
      expect(@app.read("Procfile.dev")).to eq("web: bin/rails server\nworker: bin/tasker work\n")
      expect(@app.read(".gitignore")).to end_with("\n/storage/tasker_*\n")
      expect(File.stat("#{@app.folder}/bin/tasker").mode & 0o111).to eq(0o111)
      expect(File).to exist("#{@app.folder}/storage/.keep")
    end

    it "install twice what they installed once" do
      before = %w[Procfile.dev .gitignore].map { |file| @app.read(file) }
      generate("tasker:install", "--skip")
      expect(%w[Procfile.dev .gitignore].map { |file| @app.read(file) }).to eq(before)
    end

    it "write workflows, steps and tests that pass, with names that don't get in the way of models" do
      output = @app.command("-e", 'Dir.glob("./test/**/*_test.rb") { |file| require file }')
      expect(output).to match(/8 runs, \d+ assertions, 0 failures, 0 errors/)
      expect(@app.read("app/workflows/order_workflow.rb").lines.grep(/step :/).map(&:strip)).to eq(
        ["step :validate, OrderSteps::Validate", "step :reserve, OrderSteps::Reserve, depends_on: :validate",
         "step :charge, OrderSteps::Charge, depends_on: :validate",
         "step :ship, OrderSteps::Ship, depends_on: %i[reserve charge]",
         "step :refund, OrderSteps::Refund, depends_on: :ship"]
      )
      expect(@app.read("app/workflows/shop/refund_workflow.rb"))
        .to include('task_name "refund"', 'namespace "shop"', "step :ask, Shop::RefundSteps::Ask\n")
    end

    it "write a command that knows the app, and settings that it obeys" do
      output = @app.command("bin/tasker", "check", env: { "TASKER_POOL" => "3" })
      expect(output).to match(%r{threads\s+5\s+.*config/tasker.yml:5}).and match(/pool\s+3\s+.*TASKER_POOL/)
      expect(output).to include("order")
    end

    {
      %w[tasker:workflow Order] => /name its steps/, %w[tasker:workflow Order 9x] => /a step's name is letters/,
      %w[tasker:workflow Other one one] => /the step one is given twice/,
      %w[tasker:workflow Other reserve ship:reserv] => /ship depends on reserv, .* \(did you mean "reserve"/,
      %w[tasker:step Nosuch one] => /there is no app.workflows.nosuch_workflow.rb/,
      %w[tasker:step Order ship] => /has a step ship already/,
      %w[tasker:step Order more:validat] => /has no step validat \(did you mean "validate"/
    }.each do |words, message|
      it "refuse #{words.join(" ")}, and write nothing" do
        before = Dir.glob("{app,test}/**/*", base: @app.folder)
        expect { generate(*words) }.to raise_error(message)
        expect(Dir.glob("{app,test}/**/*", base: @app.folder)).to eq(before)
      end
    end
  end

  context "in an app on PostgreSQL with RSpec" do
    before(:context) do
      @app = Support::RailsApp.new("postgresql")
      FileUtils.mkdir("#{@app.folder}/spec")
      entries = { "primary" => @app.entry(@app.make_database),
                  "queue" => { **@app.entry(@app.make_database), "migrations_paths" => "db/queue_migrate" } }
      @app.databases = { "test" => entries }
      @booted = @app.boot
      generate("tasker:install")
    end

    after(:context) { @app.release }

    def migrations(folder = "db/migrate") = Dir.glob("*", base: "#{@app.folder}/#{folder}").sort

    it "write a migration, and with a newer gem another" do
      newest = @booted.run("TaskerCore::Migration.newest")
      expect(migrations).to match([/\A\d{14}_install_tasker_core.rb\z/])
      path = "db/migrate/#{migrations.first}"
      expect(@app.read(path)).to include("ActiveRecord::Migration[#{@booted.run("Rails.version")[/\d+\.\d+/]}]",
                                         "migrate!(connection, to: #{newest})")
      expect(generate("tasker:upgrade")).to include("come to version #{newest} of the tables, the newest")
      @app.write(path, @app.read(path).sub("to: #{newest}", "to: 1"))
      generate("tasker:upgrade")
      expect(migrations.last).to end_with("_upgrade_tasker_core_to_#{newest}.rb")
      @booted.run("ActiveRecord::Tasks::DatabaseTasks.migrate; 1")
      expect(@booted.run("TaskerCore::Migration.version(ActiveRecord::Base.connection)")).to eq(newest)
    end

    it "write it for another database, which the settings name then" do
      generate("tasker:install", "--database=queue", "--force")
      expect(migrations("db/queue_migrate").size).to eq(1)
      expect(@app.read("config/tasker.yml")).to include("  database: queue\n")
      expect { generate("tasker:install", "--database=quue") }.to raise_error(/no entry quue for test.*"queue"/)
    end

    it "write specs that pass" do
      generate("tasker:workflow", "Order", "validate", "ship")
      output = @app.command("-rrspec/core", "-e", "exit RSpec::Core::Runner.run(ARGV)", "--", "spec")
      expect(output).to include("3 examples, 0 failures")
    end
  end
end
