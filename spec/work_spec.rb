# frozen_string_literal: true

require "fiddle"
require "json"
require "net/http"
require "socket"

# `tasker work` as people run it: a process, signals, probes.
RSpec.describe "tasker work" do
  app = <<~RUBY
    require "fileutils"
    class Sleepy < TaskerCore::Workflow
      step(:nap) do |ctx|
        FileUtils.touch(ctx.context["here"])
        sleep(0.01) until File.exist?(ctx.context["until"])
        true
      end
    end

    require "fiddle"
    # Keeps Ruby's lock for as long as it is told to, on a fast machine, too, and in a Ruby with a better Regexp.
    class Greedy < TaskerCore::Workflow
      SLEEP = Fiddle::Function.new(Fiddle::Handle::DEFAULT["sleep"], [Fiddle::TYPE_INT], Fiddle::TYPE_INT, need_gvl: true)
      step(:hold) do |ctx|
        FileUtils.touch(ctx.context["here"])
        SLEEP.call(ctx.context["seconds"])
        true
      end
    end
  RUBY

  define_method(:within_folder) do |&example|
    Dir.mktmpdir do |folder|
      File.write("#{folder}/app.rb", app)
      @folder = folder
      example.call
    end
  end

  def work(*options, env: {})
    url = database.url
    command = [RbConfig.ruby, "#{Support::ROOT}/exe/tasker", "work", "-r", "app.rb", "--database", url, *options]
    start_command(command, env: env, folder: @folder)
  end

  def path(name) = "#{@folder}/#{name}"

  def create(workflow = "sleepy", here: "here", **context)
    handle.create_task(workflow, context: { here: path(here), until: path("go"), **context })
  end

  def probe(program, path)
    address = program.text[/probes on (\S+)/, 1]
    answer = Net::HTTP.start(*address.split(":"), open_timeout: 5, read_timeout: 5) { |http| http.get(path) }
    [answer.code.to_i, JSON.parse(answer.body)]
  end

  each_database do
    include Support::Programs

    around { |example| within_folder { example.run } }

    it "drains at TERM: what runs ends and is recorded, and it ends with 0" do
      program = work("--threads", "2", "--pid", "work.pid", "--probe-port", "0")
      await_words(program, /2 threads for 2 templates/)
      expect(File.read(path("work.pid")).to_i).to eq(program.pid)
      expect(work("--pid", "work.pid").outcome.output).to match(/work\.pid is that of another process: #{program.pid}/)
      task = create
      eventually { File.exist?(path("here")) }
      expect(probe(program, "/readyz")).to eq([200, { "ready" => true, "because" => [] }])
      program.signal("TERM")
      eventually { probe(program, "/readyz").first == 503 }
      expect(probe(program, "/readyz").last["because"]).to eq(["the worker drains"])
      FileUtils.touch(path("go"))
      expect(program.outcome.status.exitstatus).to eq(0)
      expect(task.reload.status).to eq("complete")
      expect(File).not_to exist(path("work.pid"))
    end

    it "says whose steps it runs, wherever that is set" do
      [[[], {}, "all queues"], [[], { "TASKER_QUEUES" => "mail,web" }, "mail, web"],
       [%w[--queues slow], { "TASKER_QUEUES" => "mail" }, "slow"]].each do |options, env, queues|
        program = work(*options, env: env)
        await_words(program, /for 2 templates, steps of #{queues}$/)
        program.signal("TERM")
        program.outcome
      end
    end

    it "gives back what still runs when the time is over, and ends at once at a second signal" do
      program = work("--drain", "0.3")
      await_words(program, /threads for/)
      task = create
      eventually { File.exist?(path("here")) }
      program.signal("INT")
      expect(program.outcome.status.exitstatus).to eq(0)
      expect([task.reload.step(:nap).status, task.step(:nap).attempts]).to eq(["pending", 0])

      FileUtils.rm(path("here"))
      program = work("--drain", "600")
      eventually { File.exist?(path("here")) }
      program.signal("TERM")
      await_words(program, /TERM: stopping/)
      eventually { program.ended? || (program.signal("TERM") && false) }
      expect(program.outcome.status.exitstatus).to eq(143)
    end

    # One that malloc gives to a thread begins at a multiple of its size, 64 MB, most of which can't be read yet.
    heaps = lambda do |pid|
      maps = File.readlines("/proc/#{pid}/maps").map { |line| line.split.values_at(0, 1, 5) }
      maps.count { |range, rights, file| rights == "---p" && !file && (range[/-(.*)/, 1].hex % (64 << 20)).zero? }
    end
    glibc = RbConfig::CONFIG["target_os"] == "linux" && Fiddle::Handle::DEFAULT.sym_defined?("gnu_get_libc_version")

    it "gets by with two of glibc's heaps, unless the environment says how many", if: glibc do
      few, many = [{}, { "MALLOC_ARENA_MAX" => "16" }].map do |env|
        program = work("--threads", "10", env: env)
        await_words(program, /10 threads/)
        eventually { env.empty? || heaps.call(program.pid) > 1 }
        program
      end
      expect(heaps.call(few.pid)).to be <= 1
      [few, many].each { |program| program.signal("TERM") }
      expect([few, many].map { |program| program.outcome.status.exitstatus }).to eq([0, 0])
    end

    it "claims nothing between TSTP and CONT, and says at TTIN what it is at" do
      program = work("--threads", "1")
      await_words(program, /1 thread for 2 templates/)
      create
      eventually { File.exist?(path("here")) }
      # The file is there before the handler is at its next line.
      eventually do
        program.signal("TTIN") && program.said?(%r{tasker-worker-1: sleepy \S+/nap, attempt 1\n.*app\.rb:5}m)
      end
      program.signal("TSTP")
      await_words(program, /claims nothing more/)
      FileUtils.touch(path("go"))
      waits = create(here: "second")
      eventually { handle.tasks(status: :complete).one? }
      expect { waits.wait(timeout: 0.3) }.to raise_error(TaskerCore::TimeoutError)
      program.signal("CONT")
      expect(waits.wait(timeout: 10).status).to eq("complete")
      program.signal("TERM")
      expect(program.outcome.status.exitstatus).to eq(0)
    end
  end

  on_postgres do
    include Support::Programs

    around { |example| within_folder { example.run } }

    it "works behind PgBouncer in transaction mode", if: ENV.key?("TASKER_TEST_PGBOUNCER_URL") do
      pooler = URI(ENV.fetch("TASKER_TEST_PGBOUNCER_URL"))
      pooler.path = URI(database.url).path
      program = work("--database", pooler.to_s)
      await_words(program, /threads for/)
      FileUtils.touch(path("go"))
      tasks = Array.new(5) { |n| create(here: "here#{n}") }
      expect(tasks.map { |task| task.wait(timeout: 15).status }.uniq).to eq(["complete"])
      program.signal("TERM")
      expect(program.outcome.status.exitstatus).to eq(0)
    end
  end

  on_sqlite do
    include Support::Programs

    around { |example| within_folder { example.run } }

    it "tells systemd that it is ready, lives and stops" do
      socket = Socket.new(:UNIX, :DGRAM).tap { |bound| bound.bind(Socket.sockaddr_un(path("notify"))) }
      program = work(env: { "NOTIFY_SOCKET" => path("notify"), "WATCHDOG_USEC" => "200000" })
      told = -> { Timeout.timeout(20) { socket.recv(1_000) } }
      expect(told.call).to start_with("READY=1\nMAINPID=#{program.pid}")
      expect([told.call, told.call]).to eq(%w[WATCHDOG=1 WATCHDOG=1])
      program.signal("TERM")
      eventually { told.call == "STOPPING=1" }
      program.outcome
    ensure
      socket&.close
    end

    it "answers probes while a handler keeps Ruby's lock" do
      program = work("--probe-port", "0", "--probe-silence", "1.5")
      await_words(program, /probes on/)
      expect(probe(program, "/livez").first).to eq(200)
      create("greedy", seconds: 8)
      eventually { File.exist?(path("here")) }
      eventually(within: 20) { probe(program, "/livez").first == 503 }
      expect(probe(program, "/livez").last).to include("alive" => false, "pid" => program.pid)
      expect(probe(program, "/readyz").first).to eq(200)
    end

    it "says what is wrong, and ends with 2, or with 1 where the database is not there" do
      File.write(path("nothing.rb"), "")
      outcome = work("-r", "nothing.rb").outcome
      expect([outcome.status.exitstatus, outcome.output]).to match([2, /there is nothing to run/])
      outcome = work("--threads", "0").outcome
      expect([outcome.status.exitstatus, outcome.output]).to match([2, /threads: is 1 to 1000/])
      outcome = work("--database", "postgres://127.0.0.1:1/none?connect_timeout=1").outcome
      expect([outcome.status.exitstatus, outcome.output.lines.size]).to eq([1, 1])
    end
  end
end
