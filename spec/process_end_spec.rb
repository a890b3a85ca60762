# frozen_string_literal: true

RSpec.describe "The end of a process" do
  each_database do
    # A program with a worker in whose handler it is when it ends, as `ending` says.
    def start_busy(handler, ending: "", configuration: "")
      program = start_program(<<~RUBY)
        TaskerCore.configure { |c| #{configuration} }
        handle = TaskerCore.open(ENV["URL"], lease: 60)
        begun = Queue.new
        handler = #{handler}
        handle.register({ name: "flow", steps: [{ name: "only" }] },
                        handlers: { only: ->(ctx) { (begun << 1) && handler.call(ctx) } })
        handle.worker(threads: 1).start
        handle.create_task("flow", key: "first")
        begun.pop
        5.times { handle.create_task("flow") }
        puts "busy"
        #{ending}
      RUBY
      await_words(program, /^busy/)
      program
    end

    def first = handle.tasks(key: "first").first.step(:only)

    # Nothing is held any more: whoever comes next need not wait for a lease to end.
    def expect_released
      expect(count("tasker_sessions")).to eq(0)
      handle.register(single { "elsewhere" })
      handle.work(until: :idle, timeout: 10)
      expect(handle.tasks.map(&:status).uniq).to eq(["complete"])
    end

    {
      "sleeps" => "->(_) { sleep }",
      "keeps Ruby busy" => "->(_) { loop { 1 + 1 } }",
      "rescues everything" => "->(_) { begin; sleep; rescue Exception; retry; end }",
      "waits for the database" => "->(_) { handle.create_task('flow', run_at: Time.now + 900).wait }"
    }.each do |name, handler|
      it "whose handler #{name} is not held up, and its step runs elsewhere at once" do
        program = start_busy(handler, configuration: "c.exit_timeout = 1")
        expect(seconds { expect(program.outcome).to be_success, program.text }).to be < 4
        expect(first).to have_attributes(status: "pending", attempts: 0)
        handle.tasks(status: :pending).each { |task| task.cancel if task.run_at && task.run_at > Time.now }
        next if name == "waits for the database"

        expect_released
      end
    end

    it "lets handlers end that soon do, and claims nothing more" do
      program = start_busy("->(_) { sleep 0.4; 'ended' }")
      expect(program.outcome).to be_success, program.text
      expect(first).to have_attributes(status: "complete", result: "ended", attempts: 1)
      # One that began before the end was near, perhaps.
      expect(handle.tasks(status: :complete).count).to be <= 2
      expect(handle.tasks.sum { |task| task.step(:only).attempts }).to eq(handle.tasks(status: :complete).count)
      expect_released
    end

    it "takes five seconds at the most" do
      program = start_busy("->(_) { sleep }")
      # It began a moment before this clock, and a busy machine may take a while to end a process.
      expect(seconds { program.outcome }).to be_between(3.5, 6)
      expect_released
    end

    it "by a signal or an exception gives back what is held" do
      { "sleep" => "TERM", "raise 'enough'" => nil }.each do |ending, signal|
        program = start_busy("->(_) { sleep }", ending: ending, configuration: "c.exit_timeout = 0.5")
        program.signal(signal) if signal
        expect(program.outcome).not_to be_success
        expect(first).to have_attributes(status: "pending", attempts: 0)
        expect(count("tasker_sessions")).to eq(0)
        handle.tasks.each(&:cancel)
        handle.purge(finished_before: Time.now + 60)
      end
    end

    it "comes after the user's own at_exit blocks, which may use the handle" do
      outcome = run_program(<<~RUBY)
        at_exit { puts handle.tasks.count }
        def handle = @handle ||= TaskerCore.open(ENV["URL"])
        handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { 1 } })
        handle.worker(threads: 1).start
        at_exit { puts handle.create_task("flow", key: "late").key }
      RUBY
      expect(outcome.lines).to eq(%w[late 1])
    end

    it "stops many workers at once, and not one after the other" do
      program = start_program(<<~RUBY)
        TaskerCore.configure { |c| c.exit_timeout = 2 }
        begun = Queue.new
        Array.new(3) do |n|
          handle = TaskerCore.open(ENV["URL"])
          handle.register({ name: "flow\#{n}", steps: [{ name: "only" }] },
                          handlers: { only: ->(_) { (begun << 1) && sleep } })
          handle.worker(threads: 1).start
          handle.create_task("flow\#{n}")
        end
        3.times { begun.pop }
        puts "busy"
      RUBY
      await_words(program, /^busy/)
      expect(seconds { program.outcome }).to be < 4
      expect(handle.tasks.map(&:status)).to eq(["in_progress"] * 3)
      expect(handle.tasks.map { |task| task.step(:only).status }).to eq(["pending"] * 3)
    end
  end

  on_postgres do
    it "does not wait for a database that is away" do
      program = start_program(<<~RUBY, env: { "URL" => proxied_url })
        TaskerCore.configure { |c| c.exit_timeout = 2 }
        handle = TaskerCore.open(ENV["URL"])
        begun = Queue.new
        handle.register({ name: "flow", steps: [{ name: "only" }] }, handlers: { only: ->(_) { (begun << 1) && sleep } })
        handle.worker(threads: 1).start
        handle.create_task("flow")
        begun.pop
        puts "busy"
        gets
      RUBY
      await_words(program, /^busy/)
      proxy.go_away
      program.say("")
      expect(seconds { program.outcome }).to be < 4
    end
  end
end
