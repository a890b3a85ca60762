# frozen_string_literal: true

require "net/http"

# `plugin :tasker`: a worker in Puma's processes.
RSpec.describe "Puma's plugin" do
  include Support::Programs

  rackup = <<~RUBY
    require "tasker_core"
    class Whereabouts < TaskerCore::Workflow
      step(:where) { |_ctx| Process.pid }
    end
    TaskerCore.register(Whereabouts)
    run ->(_env) { [200, { "content-type" => "text/plain" }, [TaskerCore.create_task(Whereabouts).id]] }
  RUBY

  define_method(:serve) do |configuration|
    File.write("#{@folder}/config.ru", rackup)
    File.write("#{@folder}/puma.rb", <<~RUBY)
      plugin :tasker
      bind "unix://#{@folder}/socket"
      threads 1, 2
      #{configuration}
    RUBY
    env = { "RUBYLIB" => "#{Support::ROOT}/lib", "TASKER_DATABASE_URL" => database.url, "RACK_ENV" => "production" }
    start_command([RbConfig.ruby, "-S", "puma", "-C", "puma.rb", "config.ru"], env: env, folder: @folder)
  end

  def ask
    UNIXSocket.open("#{@folder}/socket") do |socket|
      socket.write("GET / HTTP/1.0\r\n\r\n")
      socket.read[/\r\n\r\n(.*)/m, 1]
    end
  end

  # Where the step ran of a task that a request created.
  def whereabouts = handle.task(ask).wait(timeout: 15).step(:where).result

  around do |example|
    Dir.mktmpdir do |folder|
      @folder = folder
      example.run
    end
  end

  each_database do
    it "runs steps in the web process, and drains when that ends" do
      program = serve("")
      await_words(program, /Use Ctrl-C to stop/)
      expect(whereabouts).to eq(program.pid)
      program.signal("TERM")
      expect(program.outcome.output).not_to match(/error|tasker:/i)
    end
  end

  on_postgres do
    it "runs them in each worker of a cluster with a preloaded app" do
      program = serve("workers 2\npreload_app!")
      await_words(program, /Worker 1 .*booted/)
      eventually(within: 20) { program.text.match?(/Worker 0 .*booted/) }
      pids = program.text.scan(/\(PID: (\d+)\) booted|Worker \d+ \(PID: (\d+)\)/).flatten.compact.map(&:to_i).uniq
      expect(pids).to include(whereabouts)
      expect(pids).not_to include(program.pid)
      program.signal("TERM")
      expect(program.outcome.output).not_to match(/tasker:|Error/)
    end

    it "goes on through a phased restart" do
      program = serve("workers 1")
      await_words(program, /Worker 0 .*booted/)
      before = whereabouts
      program.signal("USR1")
      await_words(program, /phase: 1\) booted|Worker 0 .*booted in .*phase: 1/)
      expect(whereabouts).not_to eq(before)
      program.signal("TERM")
      expect(program.outcome.output).not_to match(/tasker:|Error/)
    end
  end
end
