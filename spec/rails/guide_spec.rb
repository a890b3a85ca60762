# frozen_string_literal: true

# RAILS.md is an app, from its installation on: what stands there as a command, a file or typed into a console is done
# in the order in which it stands there.
RSpec.describe "RAILS.md", limit: 120 do
  text = File.read("#{Support::ROOT}/RAILS.md")
  blocks = text.scan(/^```(sh|ruby|json|text)\n(.+?)^```$/m)

  before(:context) { @app = Support::RailsApp.new("sqlite3", environment: "development") }
  after(:context) { @app.release }

  # Each `expression # => value` raises unless the two are equal.
  def checked(line)
    expression, value = line.chomp.split(/ # => /, 2)
    return line unless value

    "(#{expression.strip}).then { |got| got == (#{value}) or raise got.inspect + ' is not ' + #{value.inspect} }"
  end

  def shell(commands)
    commands.lines(chomp: true).each do |line|
      line == "bin/tasker work" ? @work = start_work : @app.command(*line.split)
    end
  end

  # What runs has the files of then.
  def boot_anew
    @booted&.stop
    @work&.signal("TERM")
    @work &&= (@work.outcome && start_work)
    @booted = @app.boot
    @stale = false
  end

  def start_work
    start_command([RbConfig.ruby, "bin/tasker", "work"], env: { "RAILS_ENV" => "development" }, folder: @app.folder)
  end

  it "does what it says" do
    blocks.each do |kind, source|
      case source
      when /\A# console$/
        boot_anew if @stale != false
        @booted.run("#{source.lines.map { |line| checked(line) }.join("\n")}\n1")
      when /\A# (\S+\.rb)$/
        @app.write(Regexp.last_match(1), source)
        @stale = true
      else
        shell(source) if kind == "sh"
      end
    end
    expect(@app.command("-Itest", "-e", 'Dir.glob("./test/workflows/*_test.rb") { |file| require file }',
                        env: { "RAILS_ENV" => "test" })).to include("1 runs, ", "0 failures, 0 errors")
  end

  it "shows the lines of the log, and the migration, as they are" do
    json = JSON.parse(blocks.find { |kind, _| kind == "json" }.last)
    payload = json.slice("task_id", "version", "attempt", "retry_limit").transform_keys(&:to_sym)
    event = Struct.new(:payload, :duration)
                  .new({ **payload, step_name: "charge", namespace: "default", task_name: "order" }, 12.3)
    require "tasker_core/rails/log_subscriber"
    stub_const("Rails", Module.new)
    written = %i[text json].map do |format|
      output = StringIO.new
      before = TaskerCore.configuration
      own = TaskerCore::Configuration.new.tap { |c| c.logger = Logger.new(output, formatter: ->(*, line) { line }) }
      own.log_format = format
      TaskerCore.instance_variable_set(:@configuration, own)
      TaskerCore::RailsApp::LogSubscriber.new.perform_step(event)
      output.string
    ensure
      TaskerCore.instance_variable_set(:@configuration, before)
    end
    expect(JSON.parse(written.last).except("time")).to eq(json.except("time"))
    expect(text).to include("charge] #{written.first}\n")
    expect(text).to include("migrate!(connection, to: #{TaskerCore::Migration.newest})")
  end
end
