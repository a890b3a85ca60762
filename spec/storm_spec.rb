# frozen_string_literal: true

# Threads are killed, timed out and raised at, at random moments and thousands of times, in the middle of every call
# that there is, while workers run whose own threads are killed too. `rspec --seed` draws the same calls again.
RSpec.describe "A storm of interruptions" do
  clients = 6
  rounds = 350

  each_database do
    # What a client may do; it takes the handle, a random generator and a key of its own.
    let(:calls) do
      [
        ->(handle, _, key) { handle.create_task("flow", key: key, context: { n: 1 }) },
        ->(handle, _, key) { handle.create_tasks("flow", contexts: [{}, {}], keys: ["#{key}a", "#{key}b"]) },
        ->(handle, *) { handle.register(@flow) },
        ->(handle, random, _) { handle.tasks.first(random.rand(1..5)).sum { |task| task.history.size } },
        ->(handle, *) { handle.tasks(status: :pending).count },
        ->(handle, *) { handle.tasks.first&.wait(timeout: 1) },
        ->(handle, *) { handle.tasks.first&.reload&.step(:last) },
        ->(handle, *) { start_and_stop(handle.worker(threads: 1)) },
        ->(handle, *) { handle.work(until: :idle, threads: 1, timeout: 1) },
        ->(handle, *) { handle.refresh.then { |fresh| fresh.tasks.count && fresh.close } },
        ->(*) { open_and_close }
      ]
    end

    def open_and_close
      opened = TaskerCore.open(database.url)
      opened.tasks.first
    ensure
      opened&.close
    end

    def start_and_stop(worker)
      worker.start
    ensure
      worker.stop(timeout: 1)
    end

    # One client's calls, each interrupted a moment after it began, if it still runs then.
    def client(number, random, rounds)
      Array.new(rounds) do |round|
        call = calls.sample(random: random)
        moment = random.rand * 0.012
        how = %i[kill raise timeout].sample(random: random)
        thread = quiet_thread do
          on_time = proc { call.call(handle, random, "#{number}/#{round}") }
          how == :timeout ? Timeout.timeout(moment + 0.001, &on_time) : on_time.call
        end
        outcome_of(thread, moment, how)
      end
    end

    def quiet_thread(&)
      Thread.new(&).tap { |thread| thread.report_on_exception = false }
    end

    def outcome_of(thread, moment, how)
      unless thread.join(moment)
        thread.kill if how == :kill
        thread.raise(IOError, "enough") if how == :raise
      end
      thread.join(20) or raise "a call did not end:\n#{thread.backtrace.join("\n")}"
      how == :kill ? :killed : :done
    rescue IOError, Timeout::Error => e
      e.class
    rescue TaskerCore::TimeoutError
      :done
    end

    def worker_threads
      Thread.list.select { |thread| thread.name.to_s.start_with?("tasker-worker") }
    end

    def descriptors = Dir.children("/proc/self/fd").size

    it "loses no step, records no result twice, and leaves nothing behind", limit: 90 do
      @flow = workflow do
        defaults retry_limit: 100, backoff: "none"
        step(:first) { |ctx| ctx.context["n"] }
        step(:last, depends_on: :first) { |ctx| ctx.result(:first) }
      end
      # A handle whose close was interrupted may be open until it is garbage: the database is for no other example.
      database.spoil
      open_and_close
      before = [descriptors, Thread.list.size]
      handle.register(@flow)
      workers = Array.new(2) { handle.worker(threads: 2).start }

      storm = Array.new(clients) do |n|
        Thread.new { client(n, Random.new(RSpec.configuration.seed + n), rounds) }
      end
      killer = Random.new(RSpec.configuration.seed)
      until storm.none?(&:alive?)
        worker_threads.sample(random: killer)&.kill
        storm.sample(random: killer).join(0.01)
      end
      interrupted = storm.flat_map(&:value).count { |outcome| outcome != :done }
      expect(interrupted).to be > (clients * rounds) / 10

      expect(workers).to all(be_running)
      handle.work(until: :idle, timeout: 30)
      expect(handle.tasks.reject(&:complete?)).to eq([])
      expect(handle.tasks.count).to be > clients
      expect(count("tasker_workflow_steps")).to eq(handle.tasks.count * 2)
      expect(completions).to eq(handle.tasks.count * 2)

      handle.close
      eventually { Thread.list.size <= before.last }
      # At most 32 signals of two ends each are kept for the next waits.
      eventually { GC.start || descriptors <= before.first + 64 }
    end
  end
end
