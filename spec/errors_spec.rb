# frozen_string_literal: true

RSpec.describe TaskerCore::Error do
  names = %i[ConfigurationError ValidationError NotFoundError DuplicateTaskError StateTransitionError HandleExpiredError
             HandleClosedError DatabaseError PoolTimeoutError TimeoutError InternalError RetryableError PermanentError]

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
end
