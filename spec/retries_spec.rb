# frozen_string_literal: true

RSpec.describe "Retries" do
  # Fails in the last attempt that it is to have, quickly in those before, so that the step then waits for the
  # delay after that attempt.
  def failing_in_attempt(number, **options)
    single(retry_limit: 10, **options) do |ctx|
      raise TaskerCore::RetryableError.new("not yet", retry_after: 0) if ctx.attempt < number

      raise "failed in #{ctx.attempt}"
    end
  end

  # How many seconds the step waits after that attempt.
  def delay_after(attempt, backoff)
    flow = failing_in_attempt(attempt, backoff: backoff)
    handle.register(flow)
    task = handle.create_task(flow)
    worker = handle.worker(threads: 1).start
    step = eventually { (found = task.step(:only)).status == "waiting_for_retry" && found.attempts == attempt && found }
    worker.stop
    step.next_retry_at - Time.now
  end

  each_database do
    it "record what an exception is, however its own methods behave" do
      deep = Class.new(StandardError) { def message = raise(NotImplementedError, "no message") }
      lost = Class.new(StandardError) { def backtrace = raise("no backtrace") }
      text = Class.new(StandardError) { def backtrace = "a line" }
      name = Class.new(StandardError) { def self.name = "\xFF\xFE" }
      anon = Class.new(StandardError) { def self.name = raise("no name") }
      odd = Class.new(StandardError) { def is_a?(_) = raise("no kind") }
      [deep, lost, text, name, anon, odd].each_with_index do |kind, index|
        task = run_task(single("flow#{index}", retryable: false) { raise kind, "lost" })
        expect(task).to be_error
        expect(task.error["message"]).to match(kind == deep ? /could not be made/ : /\Alost\z/)
      end
    end

    it "tries a step as often as its retry_limit says, the first attempt included" do
      attempts = journal
      flow = single(retry_limit: 4, backoff: "none") { |ctx| (attempts << ctx.attempt) && raise("no") }
      task = run_task(flow)
      expect(attempts.to_a).to eq([1, 2, 3, 4])
      expect(task.status).to eq("error")
      expect(task.step(:only)).to have_attributes(status: "error", attempts: 4)
    end

    it "goes on when an attempt succeeds" do
      flow = single(backoff: "none") { |ctx| ctx.attempt < 3 ? raise("no") : "third time" }
      task = run_task(flow)
      expect(task.status).to eq("complete")
      expect(task.step(:only)).to have_attributes(result: "third time", attempts: 3)
    end

    it "tries a step once that isn't retryable" do
      expect(run_task(single(retryable: false) { raise "no" }).step(:only)).to have_attributes(attempts: 1)
    end

    it "tries a step once that fails for good, and keeps the code" do
      flow = single(retry_limit: 5) do
        raise TaskerCore::PermanentError.new("declined", error_code: "card_declined", context: { card: "…42" })
      end
      step = run_task(flow).step(:only)
      expect(step).to have_attributes(status: "error", attempts: 1)
      expect(step.error).to include("class" => "TaskerCore::PermanentError", "message" => "declined",
                                    "error_code" => "card_declined", "context" => { "card" => "…42" })
    end

    it "takes subclasses of PermanentError for that" do
      refused = Class.new(TaskerCore::PermanentError)
      expect(run_task(single(retry_limit: 5) { raise refused, "no" }).step(:only).attempts).to eq(1)
    end

    it "takes exceptions that it doesn't know for retryable" do
      errors = [ArgumentError, NoMethodError, Class.new(StandardError), NotImplementedError, SystemStackError]
      errors.each_with_index do |error, n|
        flow = single("flow#{n}", backoff: "none") { |ctx| ctx.attempt < 2 ? raise(error, "no") : "better" }
        expect(run_task(flow).step(:only)).to have_attributes(attempts: 2, result: "better")
      end
    end

    it "keeps the class and the message of the last failure" do
      flow = single(backoff: "none", retry_limit: 2) { |ctx| raise KeyError, "attempt #{ctx.attempt}" }
      task = run_task(flow)
      expect(task.step(:only).error).to include("class" => "KeyError", "message" => "attempt 2")
      expect(task.error).to include("step" => "only", "message" => "attempt 2")
    end

    it "waits as long as the handler asks, whatever the formula says" do
      flow = single(backoff: { kind: "exponential", base: 0.01 }) do
        raise TaskerCore::RetryableError.new("busy", retry_after: 300)
      end
      handle.register(flow)
      task = handle.create_task(flow)
      handle.work(until: :idle, timeout: 1)
      step = task.step(:only)
      expect(step.status).to eq("waiting_for_retry")
      expect(step.next_retry_at).to be_utc.and be_within(20).of(Time.now + 300)
    end

    it "tries again at once where that is asked for" do
      flow = single(backoff: { kind: "linear", base: 500 }) do |ctx|
        ctx.attempt < 2 ? raise(TaskerCore::RetryableError.new("again", retry_after: 0)) : "again"
      end
      expect(run_task(flow).step(:only).result).to eq("again")
    end

    it "waits for no time without backoff" do
      flow = single(backoff: "none", retry_limit: 6) { raise "no" }
      expect(seconds { run_task(flow) }).to be < 4
      expect(handle.tasks.first.step(:only).attempts).to eq(6)
    end

    it "waits longer by the same amount with linear backoff" do
      expect(delay_after(3, { kind: "linear", base: 100, cap: 1000, jitter: 0 })).to be_within(20).of(300)
    end

    it "waits twice as long each time with exponential backoff" do
      expect(delay_after(4, { kind: "exponential", base: 100, cap: 1000, jitter: 0 })).to be_within(20).of(800)
    end

    it "waits no longer than the cap" do
      expect(delay_after(5, { kind: "exponential", base: 100, cap: 250, jitter: 0 })).to be_within(20).of(250)
    end

    it "waits exponentially longer, within a tenth, where no more is said" do
      expect(delay_after(6, { base: 10, cap: 1000 })).to be_within(32 + 5).of(320)
    end

    it "waits a second after the first attempt where nothing is said" do
      task = run_task(single(retry_limit: 2) { raise "no" })
      failed, again = task.history.select do |move|
        %w[waiting_for_retry in_progress].include?(move.to) && move.step_name
      end
                          .last(2)
      expect(again.at - failed.at).to be_between(0.9, 4)
    end

    it "remembers each attempt in the history" do
      task = run_task(single(backoff: "none", retry_limit: 2) { raise "no" })
      moves = task.history.map(&:to_h).select { |move| move[:step_name] }.map { |move| move.values_at(:from, :to) }
      expect(moves).to eq([[nil, "pending"], %w[pending in_progress], %w[in_progress waiting_for_retry],
                           %w[waiting_for_retry in_progress], %w[in_progress error]])
    end

    it "takes what the engine raises in a handler for an exception like any other" do
      id = "0190a6e2-7c1b-7000-8000-000000000000"
      handle = self.handle
      flow = single(retry_limit: 5, backoff: "none") { handle.task(id) }
      expect(run_task(flow).step(:only))
        .to have_attributes(attempts: 5, error: a_hash_including("class" => "TaskerCore::NotFoundError"))
    end
  end

  on_sqlite do
    it "tries again after a database error that may pass, and not after one that stays" do
      # Raised by hand: the class is what handlers see, and its word is what counts.
      passing = error_of { raise TaskerCore::DatabaseError.new("the server went away", retryable: true) }
      lasting = error_of { raise TaskerCore::DatabaseError.new("no permission", retryable: false) }
      expect(run_task(single("a", backoff: "none", retry_limit: 4) { raise passing }).step(:only).attempts).to eq(4)
      expect(run_task(single("b", backoff: "none", retry_limit: 4) { raise lasting }).step(:only).attempts).to eq(1)
    end
  end
end
