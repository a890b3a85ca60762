# frozen_string_literal: true

RSpec.describe TaskerCore::Error do
  names = %i[ConfigurationError ValidationError NotFoundError DuplicateTaskError StateTransitionError HandleExpiredError
             HandleClosedError DatabaseError PoolTimeoutError TimeoutError InternalError RetryableError PermanentError
             InvalidOutput]

  it "is a StandardError, and what every other error is" do
    expect(described_class.superclass).to eq(StandardError)
    names.each { |name| expect(TaskerCore.const_get(name)).to be < described_class }
  end

  it "can be raised by its class alone, as any exception" do
    names.each do |name|
      error = error_of { raise TaskerCore.const_get(name) }
      expect(error.message).to be_a(String)
      expect(error_of { raise TaskerCore.const_get(name), "words" }.message).to eq("words")
    end
  end

  it "asks for a retry, after a while, with what is worth knowing" do
    error = TaskerCore::RetryableError.new("busy", retry_after: 1.5, context: { status: 503 })
    expect(error).to have_attributes(message: "busy", retry_after: 1.5, context: { status: 503 })
    expect(TaskerCore::RetryableError.new("busy")).to have_attributes(retry_after: nil)
  end

  it "refuses a retry_after that makes no sense" do
    [-1, "soon", Float::NAN].each do |wrong|
      expect { TaskerCore::RetryableError.new("busy", retry_after: wrong) }.to raise_error(TaskerCore::ValidationError)
    end
  end

  it "fails for good, with a code and what is worth knowing" do
    error = TaskerCore::PermanentError.new("declined", error_code: "declined", context: { card: 42 })
    expect(error).to have_attributes(message: "declined", error_code: "declined", context: { card: 42 })
  end

  it "says whether a database error may pass" do
    expect(TaskerCore::DatabaseError.new("gone", retryable: true)).to be_retryable
    expect(TaskerCore::DatabaseError.new("full", retryable: false)).not_to be_retryable
  end

  it "is what every call of the gem raises, with the cause at hand" do
    error = error_of { TaskerCore.open("sqlite:///no/such/folder/tasker.sqlite3") }
    expect(error).to be_a(described_class)
    expect(error.backtrace.first(3).join).to include("tasker_core").or include(__FILE__)
  end

  it "hides no code behind it: messages need no translation and have no line ends at their ends" do
    error = error_of { TaskerCore.open("nonsense") }
    expect(error.message).to eq(error.message.strip)
    expect(error.message.encoding).to eq(Encoding::UTF_8)
  end

  each_database do
    # The error of the block, which is of just this class and says what is wrong in a line.
    def refusal(kind, &)
      error = error_of(&)
      expect([error.class, error.message]).to match([kind, /\A\S.*\S\z/])
      error
    end

    it "is a ConfigurationError when a URL can't be used" do
      expect(refusal(TaskerCore::ConfigurationError) { open_handle("#{database.url}?colour=red") }.message)
        .to include("colour")
      ["sqlite", "sqlite?pool=1", "postgres", "postgresql", ":", ""].each do |url|
        expect(refusal(TaskerCore::ConfigurationError) { open_handle(url) }.message).to include("is not a database URL")
        expect(TaskerCore::Native.redacted_url(url)).to eq("no database URL")
      end
    end

    it "is a ValidationError, with all faults, when an input is wrong" do
      error = refusal(TaskerCore::ValidationError) { handle.create_task("flow", prioritty: 1) }
      expect(error).to have_attributes(path: "prioritty", expected: /priority/)
    end

    it "is a NotFoundError, with what was looked for, when there is none" do
      handle.register(single { 1 })
      missing = "0190a6e2-7c1b-7000-8000-000000000000"
      {
        ["task", missing] => -> { handle.task(missing) },
        %w[template flaw] => -> { handle.create_task("flaw") },
        %w[version 9.0.0] => -> { handle.create_task("flow", version: "9.0.0") },
        %w[step onnly] => -> { handle.create_task("flow").step(:onnly) }
      }.each do |(kind, name), call|
        expect(refusal(TaskerCore::NotFoundError, &call)).to have_attributes(kind: kind, name: name)
      end
    end

    it "is a DuplicateTaskError, with the other task, when a key is taken" do
      handle.register(single { 1 })
      task = handle.create_task("flow", key: "mine")
      error = refusal(TaskerCore::DuplicateTaskError) { handle.create_task("flow", key: "mine") }
      expect(error).to have_attributes(existing_id: task.id, key: "mine")
    end

    it "is a HandleExpiredError, with the age and the ttl, when the handle is too old" do
      short = open_handle(ttl: 0.3)
      eventually { short.expired? }
      error = refusal(TaskerCore::HandleExpiredError) { short.tasks.count }
      expect(error).to have_attributes(handle_id: short.id, ttl: 0.3, age: be_between(0.3, 30))
      expect(error.message).to include(short.id, "0.3", format("%.1f", error.age), "refresh")
    end

    it "is a HandleClosedError when the handle was closed" do
      handle.close
      refusal(TaskerCore::HandleClosedError) { handle.tasks.count }
    end

    it "is a DatabaseError, with the database's own code, when that fails" do
      handle.register(single { 1 })
      database.query("DROP TABLE tasker_tasks#{" CASCADE" if postgres?}")
      error = refusal(TaskerCore::DatabaseError) { handle.tasks.count }
      expect(error).to have_attributes(retryable?: false, code: postgres? ? "42P01" : "1", detail: /tasker_tasks/)
    ensure
      database.spoil
    end

    it "is a DatabaseError that may pass when the database is held by others, or away" do
      busy = sqlite? ? "#{database.url}?busy_timeout=0.05" : database.url.sub(/:\d+/, ":1")
      handle.close
      database.held do
        error = refusal(TaskerCore::DatabaseError) { open_handle(busy).register(single { 1 }) }
        expect(error).to be_retryable
      end
    end

    it "is a PoolTimeoutError, with the wait and the pool, when every connection stays busy" do
      small = open_handle("#{database.url}?pool=1&acquire_timeout=0.1")
      arm("transaction", :delay, seconds: 20)
      busy = Thread.new { small.tasks.count }
      eventually { faults_over? }
      error = refusal(TaskerCore::PoolTimeoutError) { small.tasks.count }
      disarm_faults
      expect(error).to have_attributes(max: 1, waited: 0.1, retryable?: true)
      expect(busy.value).to eq(0)
    end

    it "is a TimeoutError, with the task, when a wait is over first" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      error = refusal(TaskerCore::TimeoutError) { task.wait(timeout: 0.05) }
      expect(error).to have_attributes(task_id: task.id, timeout: 0.05)
    end
  end

  it "never says a password" do
    error = error_of { TaskerCore.open("postgres://me:s3cr3t@127.0.0.1:1/none?connect_timeout=1") }
    expect(error).to be_a(TaskerCore::DatabaseError).and be_retryable
    expect([error.message, error.detail, error.inspect].join).not_to include("s3cr3t")
  end
end
