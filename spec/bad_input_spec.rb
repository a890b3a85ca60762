# frozen_string_literal: true

RSpec.describe "Bad input" do
  # What a handle says, and that it changed nothing.
  def refusal(of = TaskerCore::ValidationError, &)
    handle
    before = census
    error = error_of(&)
    expect(error).to be_a(of), "#{error.class}: #{error.message}"
    expect(census).to eq(before)
    error
  end

  def step(name, *needed) = { name: name, depends_on: needed, handler: ->(_) { 1 } }

  def register(*steps, **template)
    handle.register({ name: "flow", steps: steps, **template })
  end

  each_database do
    describe "in a template" do
      it "lists a cycle" do
        error = refusal { register(step("a"), step("b", "a", "d"), step("c", "b"), step("d", "c")) }
        expect(error.message).to match(/b → c → d → b|c → d → b → c|d → b → c → d/)
        expect(error.path).to eq("steps")
      end

      it "names a step that needs itself" do
        error = refusal { register(step("a"), step("b", "b")) }
        expect(error).to have_attributes(path: "steps[1].depends_on", message: include("b", "itself"))
      end

      it "names a step that is there twice" do
        error = refusal { register(step("a"), step("b"), step("a")) }
        expect(error).to have_attributes(path: "steps[2].name", message: include("a", "steps[0]"))
      end

      it "names a step that isn't there, and the nearest that is" do
        error = refusal { register(step("validate"), step("ship", "validat")) }
        expect(error).to have_attributes(path: "steps[1].depends_on", message: include("validat", '"validate"'))
      end

      it "says when there are no steps" do
        expect(refusal { register }.path).to eq("steps")
        expect(refusal { handle.register({ name: "flow" }) }.path).to eq("steps")
        expect(refusal { handle.register(workflow { description "empty" }) }.path).to eq("steps")
      end

      it "names the nearest key for one that there isn't" do
        expect(refusal { register(step("a"), verison: "2.0.0") }.message).to include("verison", '"version"')
        error = refusal { register(step("a").merge(retry_limits: 2)) }
        expect(error.message).to include("retry_limits", '"retry_limit"')
        expect(error.path).to start_with("steps[0]")
      end

      it "says which handler can't be called" do
        error = refusal { register(step("a"), { name: "b", handler: 42 }) }
        expect(error).to have_attributes(path: "steps[1].handler", message: match(/call/))
      end

      it "says which handlers there aren't" do
        error = refusal { handle.register({ name: "flow", steps: [{ name: "b" }] }, handlers: { b: :Nowhere }) }
        expect(error.message).to include('"b"', "Nowhere")
        expect(refusal do
                 register({ name: "b", handler: "No::Such::Constant" })
               end.message).to include("No::Such::Constant")
      end

      it "tells all its faults at once" do
        error = refusal { register(step("a", "x"), step("a"), version: "one", defaults: { retry_limit: 0 }) }
        expect(error.faults.map { |fault| fault[:path] }).to include("version", "steps[0].depends_on", "steps[1].name")
        expect([error.path, error.expected, error.got])
          .to eq(error.faults.first.values_at(:path, :expected, :got))
      end

      it "tells what is wrong with the defaults once, at its place in them" do
        { retry_limit: 0, timeout: -1, config: [1] }.each do |name, wrong|
          error = refusal { register(step("a"), step("b"), step("c"), defaults: { name => wrong }) }
          expect([error.path, error.faults.size]).to eq(["defaults.#{name}", 1])
        end
        error = refusal { register(step("a"), step("b"), defaults: { backoff: { base: -1, jitter: 2 } }) }
        expect(error.faults.map { |fault| fault[:path] }).to eq(%w[defaults.backoff.base defaults.backoff.jitter])
        error = refusal { register(step("a"), step("b").merge(timeout: 0), defaults: { timeout: 0 }) }
        expect(error.faults.map { |fault| fault[:path] }).to eq(%w[defaults.timeout steps[1].timeout])
      end

      it "says what a schema is that isn't one" do
        expect(refusal { register(step("a"), input: { type: "objekt" }) }.path).to eq("input")
        expect(refusal { register(step("a"), input: "object") }.path).to eq("input")
      end

      it "wants a Hash, a path or a class" do
        [nil, 7, [], Object.new, String].each { |wrong| refusal(TaskerCore::Error) { handle.register(wrong) } }
      end

      it "says when a path leads nowhere" do
        error = refusal(TaskerCore::Error) { handle.register("no/such/file.yml") }
        expect(error.message).to include("no/such/file.yml")
      end

      it "says when a path can't be one" do
        expect(refusal(TaskerCore::ConfigurationError) { handle.register("a\0b") }.message).to include("null byte")
      end

      it "says when a file is no text" do
        Dir.mktmpdir do |folder|
          path = File.join(folder, "flow.yml")
          File.binwrite(path, "\xFF\xFE\x00")
          expect(refusal { handle.register(path) }.message).to include("#{path}:1")
        end
      end

      it "says when YAML isn't YAML" do
        Tempfile.create(["template", ".yml"]) do |file|
          file.write("name: [unclosed\nsteps: {")
          file.flush
          error = refusal { handle.register(file.path) }
          expect(error.message).to include(File.basename(file.path))
          expect(error.message).to match(/:\d+\b|line \d+/)
        end
      end

      it "builds no object from a YAML tag" do
        ["!ruby/object:OpenStruct {}", "!ruby/object:Gem::Requirement\n  requirements: []", "!ruby/regexp /a/",
         "!ruby/hash:Hash {}", "!ruby/sym a"].each do |tagged|
          Tempfile.create(["template", ".yml"]) do |file|
            file.write("name: flow\nsteps:\n- name: a\nconfig: #{tagged}\n")
            file.flush
            expect(refusal { handle.register(file.path) }.message).to match(/ruby|tag|class/i)
          end
        end
      end

      it "says when YAML holds no template" do
        ["", "just text", "- 1\n- 2\n", "42"].each do |text|
          Tempfile.create(["template", ".yml"]) do |file|
            file.write(text)
            file.flush
            refusal { handle.register(file.path) }
          end
        end
      end
    end

    describe "in a task" do
      before do
        handle.register(workflow("fulfil_order") do
          namespace "orders"
          input type: "object", required: %w[id items],
                properties: { id: { type: "integer" },
                              items: { type: "array", items: { type: "object", required: ["price"],
                                                               properties: { price: { type: "number" } } } } }
          step(:only) { 1 }
        end)
      end

      def create(name = "fulfil_order", namespace: "orders", context: { id: 1, items: [] }, **options)
        handle.create_task(name, namespace: namespace, context: context, **options)
      end

      it "wants an object for the context" do
        [[1], "text", 7, true].each do |wrong|
          expect(refusal { create(context: wrong) }.path).to eq("context")
        end
      end

      it "tells every breach of the schema, with its path" do
        error = refusal { create(context: { id: "one", items: [{ price: 1 }, { price: "two" }, {}] }) }
        expect(error.faults.map { |fault| fault[:path] })
          .to contain_exactly("context.id", "context.items[1].price", "context.items[2]")
        expect(error.message).to include("context.id", "context.items[1].price")
        expect(refusal { create(context: { id: 1 }) }.message).to include("items")
      end

      it "names the nearest task" do
        error = refusal(TaskerCore::NotFoundError) { create("fulfill_order") }
        expect(error.message).to include("fulfill_order", '"fulfil_order"')
      end

      it "names the namespace in which there is one" do
        error = refusal(TaskerCore::NotFoundError) { create(namespace: "default") }
        expect(error.message).to include("orders")
      end

      it "names the nearest version" do
        error = refusal(TaskerCore::NotFoundError) { create(version: "1.0.1") }
        expect(error.message).to include("1.0.1", "1.0.0")
      end

      it "wants a name or a workflow class" do
        [nil, 7, "", String].each { |wrong| refusal(TaskerCore::Error) { create(wrong) } }
      end
    end

    describe "from a handler" do
      # The step after a handler that did something odd; the engine lives on.
      def step_after(**options, &)
        flow = workflow("odd") { step(:only, retry_limit: 2, backoff: "none", **options, &) }
        task = run_task(flow)
        expect(run_task(single("after") { "alive" }).step(:only).result).to eq("alive")
        task.step(:only)
      end

      it "fails for good when the result isn't JSON, and says where" do
        step = step_after { { "parts" => [{ "at" => Time.now }] } }
        expect(step).to have_attributes(status: "error", attempts: 1, result: nil)
        expect(step.error["message"]).to include("result.parts[0].at", "Time")
      end

      it "fails when it raises an Exception" do
        expect(step_after { raise Exception, "bare" }).to have_attributes( # rubocop:disable Lint/RaiseException
          status: "error", attempts: 2, error: a_hash_including("class" => "Exception", "message" => "bare")
        )
      end

      it "fails when it calls exit, and the process goes on" do
        [-> { exit }, -> { exit(3) }, -> { abort }].each_with_index do |ending, n|
          flow = workflow("exit#{n}") { step(:only, retry_limit: 2, backoff: "none") { ending.call } }
          task = run_task(flow)
          expect(task.step(:only)).to have_attributes(status: "error", attempts: 2)
          expect(task.step(:only).error["message"]).to match(/exit/)
        end
      end

      it "fails when it throws" do
        step = step_after { throw :somewhere }
        expect(step).to have_attributes(status: "error", attempts: 2)
        expect(step.error["message"]).to include("somewhere")
      end

      it "fails in the end when it ends its thread every time, and doesn't run for ever" do
        runs = journal
        handle.register(workflow { step(:only, retry_limit: 2, backoff: "none") { (runs << 1) && Thread.exit } })
        task = handle.create_task("flow")
        handle.work(until: :idle, threads: 1, timeout: 2)
        expect(runs.size).to be < 20
        expect(task.reload.status).to eq("error")
      end

      it "fails when its exception can't be told" do
        mute = Class.new(StandardError) do
          def message = raise("no message")
          def to_s = raise("no text")
          def inspect = raise("no words")
        end
        expect(step_after { raise mute }).to have_attributes(status: "error", attempts: 2)
      end

      it "fails when its exception's message is no UTF-8" do
        step = step_after { raise "caf\xE9 \x00" }
        expect(step).to have_attributes(status: "error", attempts: 2)
        expect(step.error["message"]).to be_valid_encoding.and include("caf")
      end

      it "fails when it returns from a block that is over" do
        step = step_after { |_ctx| next_step = proc { return 1 } and next_step.call }
        expect(step.status).to eq("error")
      end
    end

    it "refuses a database that a newer gem wrote, and leaves it alone" do
      handle.close
      database.newer_schema
      error = refusal_of_opening(database.url)
      expect(error).to be_a(TaskerCore::ConfigurationError)
      expect(error.message).to match(/newer/).and match(/upgrade/i)
    end
  end

  def refusal_of_opening(url, **options)
    error_of { TaskerCore.open(url, **options) }
  end

  describe "in a database URL" do
    it "is refused when it is malformed" do
      [nil, "", 7, "nonsense", "mysql://localhost/db", "sqlite:", "postgres://host:port/db", "postgres://[::1/db",
       "sqlite:a.sqlite3?cache=shared", "postgres://localhost/db?prepared=maybe",
       "sqlite::memory:?pool=0"].each do |url|
        error = refusal_of_opening(url)
        expect([TaskerCore::ConfigurationError, TaskerCore::ValidationError]).to include(error.class),
                                                                                 "#{url.inspect}: #{error.inspect}"
      end
    end

    it "names the nearest option for one that there isn't" do
      expect(refusal_of_opening("sqlite::memory:?busy_timout=1").message).to include("busy_timout", "busy_timeout")
      expect(refusal_of_opening("postgres://h/d?conect_timeout=1").message).to include("connect_timeout")
    end

    it "never shows a password" do
      ["postgres://ada:s3cret@host:port/db", "postgres://ada:s3cret@localhost/db?prepraed=false",
       "postgers://ada:s3cret@localhost/db"].each do |url|
        expect(refusal_of_opening(url).full_message).not_to include("s3cret")
      end
    end
  end

  describe "on a server that can't be reached" do
    it "is told with host and port and without the password, within the connect timeout" do
      port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
      error = nil
      took = seconds { error = refusal_of_opening("postgres://ada:s3cret@127.0.0.1:#{port}/db?connect_timeout=2") }
      expect(error).to be_a(TaskerCore::DatabaseError)
      expect(error).to be_retryable
      expect(error.message).to include("127.0.0.1:#{port}")
      expect(error.full_message).not_to include("s3cret")
      expect(took).to be < 4
    end

    it "is told within the connect timeout when the server doesn't answer" do
      server = TCPServer.new("127.0.0.1", 0)
      url = "postgres://ada:s3cret@127.0.0.1:#{server.addr[1]}/db?connect_timeout=1"
      error = nil
      expect(seconds { error = refusal_of_opening(url) }).to be_between(0.5, 4)
      expect(error).to be_a(TaskerCore::Error)
      expect(error.message).to include("127.0.0.1:#{server.addr[1]}")
      expect(error.full_message).not_to include("s3cret")
    ensure
      server&.close
    end
  end

  on_postgres do
    it "is told when the database doesn't exist" do
      error = refusal_of_opening(database.url.sub(%r{/\w+\z}, "/no_such_database"))
      expect(error).to be_a(TaskerCore::Error)
      expect(error.message).to include("no_such_database")
    end

    it "is told when the role may only read" do
      database.query("CREATE ROLE reader_#{Process.pid} LOGIN")
      url = database.url.sub(%r{//[^@/]*@}, "//reader_#{Process.pid}@")
      error = error_of do
        reader = TaskerCore.open(url)
        handles << reader
        reader.register(single { 1 })
      end
      expect(error).to be_a(TaskerCore::Error)
      expect(error.message).to match(/permission|denied|read/i)
    ensure
      database.query("DROP ROLE reader_#{Process.pid}")
    end
  end

  on_sqlite do
    it "is told when the file is no database" do
      File.write(database.path, "This is a text file, and it is long enough to be taken for something else." * 20)
      error = refusal_of_opening(database.url)
      expect(error).to be_a(TaskerCore::Error)
      expect(error.message).to include(database.path).and match(/not an? (SQLite )?database/)
      expect(File.read(database.path)).to start_with("This is a text file")
    end

    it "is told when the folder isn't there, or is the file" do
      folder = File.dirname(database.path)
      ["#{folder}/missing/tasker.sqlite3", folder].each do |path|
        error = refusal_of_opening("sqlite://#{path}")
        expect(error).to be_a(TaskerCore::Error)
        expect(error.message).to include(path)
      end
    end

    # Root may write what nobody may: the file has to stand on a file system that can't be written.
    it "is told when the file can't be written" do
      handle.register(single { 1 })
      handle.close
      skip "needs a user who can't write everything" if Process.uid.zero? && !system("runuser", "-u", "nobody", "true")

      FileUtils.chmod(0o444, database.path)
      FileUtils.chmod(0o555, File.dirname(database.path))
      answer = as_nobody(<<~RUBY)
        begin
          handle = TaskerCore.open(ENV["URL"])
          handle.register({ name: "other", steps: [{ name: "a", handler: ->(_) { 1 } }] })
          puts JSON.generate(["nothing was raised", ""])
        rescue Exception => e
          puts JSON.generate([e.class.name, e.message])
        end
      RUBY
      expect(answer[0]).to eq("TaskerCore::ConfigurationError").or eq("TaskerCore::DatabaseError")
      expect(answer[1]).to match(/read-only|readonly|permission|can't be written|cannot be written/i)
      expect(answer[1]).to include(database.path)
    ensure
      FileUtils.chmod(0o755, File.dirname(database.path))
    end

    it "is told when another library of this process has the file open" do
      File.write(database.path, "")
      File.open(database.path) do
        error = refusal_of_opening(database.url)
        expect(error).to be_a(TaskerCore::ConfigurationError)
        expect(error.message).to match(/open/).and include(database.path)
      end
    end

    # Runs a program as somebody who isn't root.
    def as_nobody(source)
      return ask_program(source) unless Process.uid.zero?

      Dir.mktmpdir do |folder|
        FileUtils.chmod(0o755, folder)
        FileUtils.cp_r("#{Support::ROOT}/lib", folder)
        File.write("#{folder}/program.rb", Support::Programs::PREAMBLE + source)
        FileUtils.chmod(0o555, File.dirname(database.path))
        outcome = start_command(["runuser", "-u", "nobody", "--", RbConfig.ruby, "-I#{folder}/lib",
                                 "#{folder}/program.rb"], folder: folder).outcome
        raise outcome.output unless outcome.success?

        outcome.json
      end
    end
  end
end
