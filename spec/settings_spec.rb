# frozen_string_literal: true

# Where settings come from, and what is said of wrong ones.
RSpec.describe "Settings" do
  let(:folder) { Dir.mktmpdir }
  let(:file) { File.join(folder, "tasker.yml") }
  let(:configuration) { TaskerCore::Configuration.new.tap { |c| c.file = file } }

  before { %w[TASKER_ENV RAILS_ENV RACK_ENV TASKER_THREADS].each { |name| environment(name, nil) } }

  after do
    @environment.each { |name, value| ENV[name] = value }
    FileUtils.rm_rf(folder)
  end

  def environment(name, value)
    @environment ||= {}
    @environment[name] = ENV.fetch(name, nil) unless @environment.key?(name)
    ENV[name] = value
  end

  def write(text) = File.write(file, text)
  def setting(name) = configuration.settings.find { |one| one[:name] == name }

  it "come from environment variables, then Ruby, then the file, then defaults, and tell where from" do
    expect(setting(:threads)).to eq(name: :threads, value: 5, origin: "default")
    write("shared:\n  pool: 9\n  threads: 6\n")
    configuration.file = file
    expect(setting(:threads)).to eq(name: :threads, value: 6, origin: "#{file}:3")
    configuration.threads = 7
    place = "spec/settings_spec.rb:#{__LINE__ - 1}"
    expect(setting(:threads)[:value]).to eq(7)
    expect(setting(:threads)[:origin]).to end_with(place)
    environment("TASKER_THREADS", "8")
    expect(setting(:threads)).to eq(name: :threads, value: 8, origin: "environment variable TASKER_THREADS")
    expect([configuration.threads, configuration.pool]).to eq([8, 9])
    environment("TASKER_THREADS", "")
    configuration.threads = nil
    expect(configuration.threads).to eq(6)
  end

  it "are those of the environment, over those that are shared" do
    write(<<~YAML)
      shared: &usual
        threads: <%= 1 + 1 %>
        drain_timeout: 2.5
        queues: [mail, default]
        retention:
      test:
        <<: *usual
        threads: 3
      production:
        threads: 12
    YAML
    environment("TASKER_ENV", "production")
    expect([configuration.threads, configuration.drain_timeout]).to eq([12, 2.5])
    expect([configuration.queues, configuration.retention]).to eq([%w[mail default], nil])
    environment("TASKER_ENV", "test")
    configuration.file = file
    expect(configuration.threads).to eq(3)
  end

  it "are each a kind that an environment variable can give" do
    { "TASKER_POOL" => "3", "TASKER_LEASE" => "7.5", "TASKER_QUEUES" => "mail, default", "TASKER_LOG_FORMAT" => "json",
      "TASKER_DATABASE_URL" => "postgres://ada:hunter2@db/shop", "TASKER_FILTER" => "iban,pin" }.each do |name, text|
      environment(name, text)
    end
    expect(%i[pool lease queues log_format filter].map { |name| configuration.public_send(name) })
      .to eq([3, 7.5, %w[mail default], :json, %w[iban pin]])
    expect(configuration.compiled_filter).to be_hides("IBAN")
    expect(setting(:database_url)[:value]).to eq("postgres://ada@db/shop")
    expect(JSON.generate(configuration.settings)).not_to include("hunter2")
  end

  it "name what is wrong with all of the file, in whatever environment" do
    write(<<~YAML)
      shared:
        treads: 5
        logger: loud
      pool: 3
      production:
        threads: many
        on_eror: x
      test:
        queue: [mail]
    YAML
    environment("TASKER_ENV", "production")
    expect { configuration.threads }.to raise_error(TaskerCore::ConfigurationError) { |error|
      [":2: treads: there is no such setting (did you mean \"threads\"?)", ":3: logger: can be set in Ruby only",
       ":4: pool: is a setting: it stands under an environment, or under shared: for all of them",
       ":6: threads: is 1 to 1000, not \"many\"", ":7: on_eror: there is no such setting",
       ":9: queue: there is no such setting (did you mean \"queues\"?)"].each do |part|
        expect(error.message).to include("#{file}#{part}")
      end
    }
  end

  {
    "TASKER_POOL" => ["lots", 'TASKER_POOL: is 1 to 1000, not "lots"'],
    "TASKER_LEASE" => ["-1", "TASKER_LEASE: is a number of seconds, 0 or more"],
    "TASKER_LOG_FORMAT" => ["jason", "TASKER_LOG_FORMAT: is text or json, not"],
    "TASKER_DATABASE_URL" => ["mysql://x", "TASKER_DATABASE_URL: \"mysql\" is not a database URL"]
  }.each do |variable, (text, message)|
    it "refuse a senseless #{variable}, by its name" do
      environment(variable, text)
      expect { configuration.settings }.to raise_error(TaskerCore::ConfigurationError, /\A#{Regexp.escape(message)}/)
    end
  end

  it "tell of ERB that fails, of YAML that is none, and of what is no mapping" do
    { "shared:\n  pool: <%= nothing_such %>\n" => /:2: its ERB failed: NameError/, "shared: [\n" => /tasker\.yml:\d/,
      "- 1\n" => /:1: is a mapping of environments/ }.each do |text, message|
      write(text)
      configuration.file = file
      expect { configuration.pool }.to raise_error(TaskerCore::ConfigurationError, message)
    end
  end
end
