# frozen_string_literal: true

# More threads than connections, by far: the pool is shared in the order in which they ask.
RSpec.describe "A pool of connections" do
  threads = 200
  size = 5
  rounds = 5

  # Runs the block in that many threads that begin together; what each gave, or the TaskerCore::Error it met.
  def crowd(threads)
    gate = self.gate
    crowd = Array.new(threads) do |number|
      Thread.new do
        gate.wait
        yield(number)
      rescue TaskerCore::Error => e
        e
      end
    end
    eventually { gate.waiting == threads }
    gate.open
    crowd.map(&:value)
  end

  each_database do
    # A handle whose every transaction takes a while.
    def slow_handle(**options)
      return open_handle(**options) if sqlite?

      proxy.delay = 0.001
      open_handle(proxied_url, **options)
    end

    it "of 5 serves 200 threads in turn, and none of them is told to wait longer than it may", limit: 90 do
      handle = slow_handle(pool: size)
      handle.register(single { 1 })
      arm("transaction", :delay, times: threads * rounds, seconds: 0.004) if sqlite?
      calls = Queue.new
      answers = crowd(threads) do |number|
        rounds.times do |round|
          began = calls.size
          handle.create_task("flow", key: "#{number}-#{round}").reload
          calls << began
        end
      end
      expect(answers.grep(TaskerCore::Error)).to eq([])
      expect(handle.tasks.count).to eq(threads * rounds)
      overtaken = Array.new(calls.size) { |place| place - calls.pop }
      # By each other one once, or a little more often: those who end together go on in the order that Ruby likes.
      expect(overtaken.max).to be < threads * 3
      expect(handle.info[:pool]).to include(max: size)
      expect(handle.info[:pool][:size]).to be <= size
    end

    it "tells all facts to those who waited in vain, and never too early" do
      handle = open_handle("#{database.url}?acquire_timeout=0.4", pool: size)
      handle.register(single { 1 })
      holders = hold_all(handle)
      waits = Queue.new
      errors = crowd(threads - size) do
        begun = clock
        handle.tasks.count
      ensure
        waits << (clock - begun)
      end
      expect(Array.new(waits.size) { waits.pop }.min).to be >= 0.4
      shown = database.url.sub(%r{(//[^:/]*):[^/]*@}, "\\1@").sub("sqlite://", "sqlite:")
      expect(errors.map { |error| [error.class, error.waited, error.max, error.in_use, error.database] }.uniq)
        .to eq([[TaskerCore::PoolTimeoutError, 0.4, size, size, shown]])
      expect(errors.map(&:message).uniq).to contain_exactly(
        "no connection to #{shown} became free within 0.4 s: all 5 of the pool are in use. Make the pool larger " \
        "(the option pool of the URL), wait longer (acquire_timeout), or ask for less at once"
      )
      expect(errors.first).to be_retryable
      @let_go.call
      expect(holders.map(&:value)).to eq([0] * size)
      expect(handle.create_task("flow").reload.status).to eq("pending")
    end

    # Threads that have every connection in use until `@let_go` is called.
    def hold_all(handle)
      if postgres?
        client = database.hold
        @let_go = -> { client.close }
      else
        arm("transaction", :delay, times: 5, seconds: 20)
        @let_go = -> { disarm_faults }
      end
      holders = Array.new(5) { Thread.new { count_when_connected(handle) } }
      eventually { handle.info[:pool].then { |pool| pool[:size] == 5 && pool[:idle].zero? } }
      eventually { postgres? || faults_over? }
      holders
    end

    # A busy machine may take longer to connect than this handle waits.
    def count_when_connected(handle)
      handle.tasks.count
    rescue TaskerCore::DatabaseError => e
      e.retryable? ? retry : raise
    end
  end

  on_postgres do
    it "says that the server is away where it is, and not that others have the connections" do
      handle = open_handle(proxied_url(acquire_timeout: 0.5), pool: 2)
      handle.register(single { 1 })
      expect(handle.tasks.count).to eq(0)
      proxy.go_away
      errors = crowd(30) { handle.tasks.count }
      expect(errors.map(&:class).uniq).to eq([TaskerCore::DatabaseError])
      expect(errors).to all(be_retryable)
      expect(errors.map(&:message)).to all(include("127.0.0.1:#{proxy.port}"))
      proxy.come_back
      expect(eventually { handle.tasks.count.zero? }).to be(true)
    end
  end
end
