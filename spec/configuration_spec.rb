# frozen_string_literal: true

RSpec.describe "Configuration" do
  # What a program prints in an empty folder.
  def lines_of(source, env: {}, &prepare)
    Dir.mktmpdir do |folder|
      prepare&.call(folder)
      outcome = run_program(source, env: { "URL" => nil, "TASKER_DATABASE_URL" => nil, **env }, folder: folder)
      expect(outcome).to be_success, outcome.output
      return outcome.lines
    end
  end

  it "has the defaults that the documentation names" do
    lines = lines_of("c = TaskerCore.configuration; puts c.database_url, c.pool, c.threads, c.drain_timeout")
    expect(lines).to eq(["sqlite:tasker.sqlite3", "5", "5", "25"])
  end

  it "puts the embedded file into a folder storage where there is one" do
    lines = lines_of("puts TaskerCore.configuration.database_url") { |folder| Dir.mkdir("#{folder}/storage") }
    expect(lines).to eq(["sqlite:storage/tasker.sqlite3"])
  end

  it "takes the URL from the environment" do
    lines = lines_of("puts TaskerCore.configuration.database_url", env: { "TASKER_DATABASE_URL" => "sqlite:other.db" })
    expect(lines).to eq(["sqlite:other.db"])
  end

  it "takes the environment before what is said in code" do
    lines = lines_of(<<~RUBY, env: { "TASKER_DATABASE_URL" => "sqlite:other.db" })
      TaskerCore.configure { |c| c.database_url = "sqlite:mine.db" }
      puts TaskerCore.configuration.database_url
    RUBY
    expect(lines).to eq(["sqlite:other.db"])
  end

  it "opens no database until one is needed" do
    expect(lines_of("TaskerCore.configuration; puts Dir.children('.').inspect")).to eq(["[]"])
  end

  it "makes the default handle once, and the module's methods act on it" do
    lines = lines_of(<<~RUBY)
      class Hello < TaskerCore::Workflow
        step(:greet) { |ctx| "hello \#{ctx.context["name"]}" }
      end
      manager = TaskerCore::OrchestrationManager.instance
      puts manager.handle.equal?(manager.handle)
      TaskerCore.register(Hello)
      task = TaskerCore.create_task("hello", context: { name: "Ada" })
      ids = TaskerCore.create_tasks("hello", contexts: [{ name: "Bob" }])
      TaskerCore.work(until: :idle, timeout: 20)
      puts TaskerCore.task(task.id).step(:greet).result
      puts TaskerCore.task(ids[0]).step(:greet).result
      puts TaskerCore.tasks(status: :complete).count
      puts File.exist?("tasker.sqlite3")
      worker = TaskerCore.worker(threads: 1).start
      worker.stop(timeout: 5)
    RUBY
    expect(lines).to eq(["true", "hello Ada", "hello Bob", "2", "true"])
  end

  it "makes another default handle when the old one was closed" do
    lines = lines_of(<<~RUBY)
      TaskerCore.configure { |c| c.database_url = "sqlite::memory:" }
      first = TaskerCore::OrchestrationManager.instance.handle
      first.close
      second = TaskerCore::OrchestrationManager.instance.handle
      puts first.equal?(second), second.valid?
    RUBY
    expect(lines).to eq(%w[false true])
  end

  it "gives the pool and the threads to handles and workers" do
    lines = lines_of(<<~RUBY)
      TaskerCore.configure do |c|
        c.database_url = "sqlite:a.sqlite3"
        c.pool = 2
        c.threads = 3
      end
      gate = Queue.new
      TaskerCore.register({ name: "flow", steps: Array.new(6) { |n| { name: "s\#{n}" } } },
                          handlers: Array.new(6) { |n| ["s\#{n}", ->(_) { gate.pop && nil }] }.to_h)
      TaskerCore.create_task("flow")
      worker = TaskerCore.worker.start
      deadline = Time.now + 10
      sleep 0.01 until worker.stats.to_h[:running] == 3 || Time.now > deadline
      puts worker.stats.to_h[:running]
      puts TaskerCore::OrchestrationManager.instance.handle.info.to_h[:pool].to_h[:max]
      6.times { gate << 1 }
      TaskerCore.work(until: :idle, timeout: 20)
    RUBY
    expect(lines).to eq(%w[3 2])
  end

  it "tells on_error what handlers raise" do
    lines = lines_of(<<~RUBY)
      TaskerCore.configure do |c|
        c.database_url = "sqlite::memory:"
        c.on_error = ->(error, context) { puts [error.class, error.message, context.step_name].join(" ") }
      end
      TaskerCore.register({ name: "flow", steps: [{ name: "only", retryable: false }] },
                          handlers: { only: ->(_) { raise KeyError, "lost" } })
      TaskerCore.create_task("flow")
      TaskerCore.work(until: :idle, timeout: 20)
    RUBY
    expect(lines).to eq(["KeyError lost only"])
  end

  it "logs to the logger that it was given" do
    lines = lines_of(<<~RUBY)
      require "stringio"
      output = StringIO.new
      TaskerCore.configure do |c|
        c.database_url = "sqlite::memory:"
        c.logger = Logger.new(output)
      end
      TaskerCore.register({ name: "flow", steps: [{ name: "only", retryable: false }] },
                          handlers: { only: ->(ctx) { ctx.logger.warn("from the handler") || raise("lost") } })
      TaskerCore.create_task("flow")
      TaskerCore.work(until: :idle, timeout: 20)
      puts output.string.include?("from the handler")
    RUBY
    expect(lines).to eq(["true"])
  end

  {
    database_url: "mysql://localhost", pool: 0, lease: -1, threads: "five", drain_timeout: -1, on_error: "text"
  }.each do |name, value|
    it "refuses a senseless #{name}, at the latest when it is needed" do
      lines = lines_of(<<~RUBY)
        begin
          TaskerCore.configure do |c|
            c.database_url = "sqlite::memory:"
            c.#{name} = #{value.inspect}
          end
          TaskerCore.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { 1 } })
          TaskerCore.worker.start.stop
          puts "it was taken"
        rescue TaskerCore::ConfigurationError, TaskerCore::ValidationError => e
          puts "refused: \#{e.message}"
          exit!(true)
        end
      RUBY
      expect(lines.last).to match(/refused: .*(#{name}|database URL)/)
    end
  end

  it "says which setting there isn't" do
    lines = lines_of(<<~RUBY)
      begin
        TaskerCore.configure { |c| c.treads = 5 }
      rescue NoMethodError, TaskerCore::Error => e
        puts e.message.include?("treads")
      end
    RUBY
    expect(lines).to eq(["true"])
  end
end
