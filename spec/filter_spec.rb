# frozen_string_literal: true

require "pp" # rubocop:disable Lint/RedundantRequireStatement -- PP itself is loaded only when pp is called

# What nobody should read by the way: passwords of databases, and values under keys that are named like secrets.
RSpec.describe "What is not shown" do
  secret = "hunter2-hunter2"
  context = { "password" => secret, "card" => { "cvc" => secret, "owner" => "Ada" },
              "list" => [{ "api_key" => secret }], "AccessToken" => [secret] }.freeze
  hidden = { "password" => "[FILTERED]", "card" => { "cvc" => "[FILTERED]", "owner" => "Ada" },
             "list" => [{ "api_key" => "[FILTERED]" }], "AccessToken" => "[FILTERED]" }.freeze

  around do |example|
    before = TaskerCore.configuration.filter
    example.run
    TaskerCore.configuration.filter = before
  end

  # What a logger was told while the block ran.
  def logged
    output = StringIO.new
    before = TaskerCore.configuration.logger
    TaskerCore.configure { |c| c.logger = Logger.new(output) }
    yield
    output.string
  ensure
    TaskerCore.configure { |c| c.logger = before }
  end

  def laid_out(value) = PP.pp(value, +"", 200)

  each_database do
    it "by pp is what stands under keys like secrets, in whatever depth; handlers see it, and it is stored" do
      seen = journal
      flow = { name: "flow", steps: [{ name: "only", config: { "client_secret" => secret }, handler: lambda { |ctx|
        (seen << [ctx.context, ctx.config]) && { "token" => secret, "shown" => 1 }
      } }] }
      handle.register(flow)
      task = handle.create_task("flow", context: context)
      task.annotate("note", { "passwort" => 1, "passwd" => secret })
      handle.work(until: :idle, timeout: 20)
      task = task.reload
      shown = [task, task.steps, task.history, task.annotations, *[task, *task.steps, *task.annotations].map do |one|
        Marshal.load(Marshal.dump(one))
      end]
      shown.each do |one|
        [laid_out(one), one.inspect, one.to_s].each { |text| expect(text).not_to include(secret) }
      end
      expect(laid_out(task)).to include(hidden.inspect)
      expect(Marshal.load(Marshal.dump(task)).inspect).to include(hidden.inspect)
      expect(laid_out(task.step(:only)))
        .to include('"shown"=>1', '"token"=>"[FILTERED]"', '"client_secret"=>"[FILTERED]"')
      expect(seen.to_a).to eq([[context, { "client_secret" => secret }]])
      expect([task.context, task.to_h[:context], JSON.parse(task.to_json)["context"]]).to all(eq(context))
      expect(task.step(:only).result["token"]).to eq(secret)
      expect(database.query("SELECT context FROM tasker_tasks").first.first).to include(secret)
    end

    it "by a list of tasks is what is looked for under such a key" do
      handle.register(workflow { search("access_token", "order") && step(:only) { 1 } })
      list = handle.tasks(context: { "access_token" => secret, "order" => 7 })
      expect(list.inspect).to include('"access_token"=>"[FILTERED]"', '"order"=>7').and not_include(secret)
    end

    # A workflow whose schemas everything breaks.
    def strict(**properties)
      workflow("strict") do
        input type: "object", properties: properties, maxProperties: 3
        step(:only, output: { properties: { password: { type: "integer" } }, maxProperties: 1 }) do |ctx|
          ctx.context["out"]
        end
      end
    end

    it "by an error is a value that breaks its schema, where its key says so, or that is a whole object" do
      handle.register(strict(password: { type: "integer" }, pin: { enum: [1] }, shown: { type: "integer" }))
      wrong = { password: secret, shown: "seen", card: { cvc: secret } }
      error = error_of { handle.create_task("strict", context: wrong) }
      expect(error.message).to include("context.shown", '"seen" is not of type', "context.password")
      errors = [error, error_of { handle.create_task("strict", context: context) }, error_of do
        handle.create_task_json(JSON.generate(name: "strict", context: { password: secret }))
      end]
      errors.each do |one|
        expect(one).to be_a(TaskerCore::ValidationError)
        expect([one.message, one.inspect, one.full_message, one.faults.inspect].join).not_to include(secret)
      end
    end

    it "by a log or to on_error is a result that breaks its schema; the step's own error has it" do
      handle.register(strict)
      told = Support::Journal.new
      task = handle.create_task("strict", context: { out: { password: secret, more: secret } })
      log = logged do
        handle.work(until: :idle, timeout: 20, on_error: ->(error, _) { told << error })
      end
      expect(log).to include("InvalidOutput", "result.password").and not_include(secret)
      expect(told.to_a.map(&:message)).to contain_exactly(include("result.password").and(not_include(secret)))
      expect(task.step(:only).error["message"]).to include(secret)
    end

    it "is what the filter says" do
      handle.register(strict(iban: { type: "integer" }, password: { type: "integer" }))
      error = -> { error_of { handle.create_task("strict", context: { iban: secret, password: secret }) }.message }
      expect(error.call).to match(/context.iban: "#{secret}"/).and match(/context.password: value/)
      TaskerCore.configure { |c| c.filter = [:IBAN, /\Aout\z/] }
      expect(error.call).to match(/context.iban: value/).and match(/context.password: "#{secret}"/)
      task = handle.create_task("strict", context: { "out" => { "my_iban" => 1 }, "route" => 2 })
      expect(laid_out(task)).to include('{"out"=>"[FILTERED]", "route"=>2}')
      TaskerCore.configure { |c| c.filter = [] }
      expect(error.call).to match(/context.iban: "#{secret}"/).and match(/context.password: "#{secret}"/)
    end

    it "is the database's password, whatever fails" do
      url = "postgres://ada:s3cr3t@127.0.0.1:1/none?connect_timeout=1&password=s3cr3t"
      texts = [url, "postgres://ada:s3cr3t@127.0.0.1:x/db", "postgres:ada:s3cr3t", "postgers://a/b?password=s3cr3t",
               "postgres://ada:s3cr3t@h/db?pasword=s3cr3t", "sqlite:a?password=s3cr3t"].flat_map do |wrong|
        error = error_of { TaskerCore.open(wrong) }
        [error.message, error.inspect, error.full_message, error.respond_to?(:detail) ? error.detail : nil]
      end
      TaskerCore.configure { |c| c.database_url = url }
      texts << TaskerCore.configuration.inspect << laid_out(TaskerCore.configuration)
      expect(texts.compact.grep(/s3cr3t/)).to eq([])
      expect(texts.compact).to include(a_string_including("127.0.0.1:1"))
    ensure
      TaskerCore.configure { |c| c.database_url = nil }
    end
  end

  it "has sensible names to begin with, which can be added to" do
    expect(TaskerCore.configuration.filter).to include("passw", "secret", "token", "_key")
    TaskerCore.configure { |c| c.filter += [:iban] }
    expect(TaskerCore.configuration.filter).to include("iban", "passw").and be_frozen
    TaskerCore.configure { |c| c.filter = nil }
    expect(TaskerCore.configuration.filter).not_to include("iban")
  end

  it "is a ConfigurationError where the filter makes no sense" do
    ["passw", 7, [7], [nil], { a: 1 }].each do |wrong|
      error = error_of { TaskerCore.configure { |c| c.filter = wrong } }
      expect([error.class, error.message[/\Afilter/]]).to eq([TaskerCore::ConfigurationError, "filter"])
    end
  end

  it "is not shown in other Ractors either" do
    outcome = run_program(<<~RUBY, env: { "URL" => "sqlite::memory:" })
      handle = TaskerCore.open(ENV["URL"])
      handle.register({ name: "flow", steps: [{ name: "only", handler: ->(_) { 1 } }] })
      task = handle.create_task("flow", context: { password: "hunter2" })
      text = Ractor.make_shareable(Marshal.dump(task))
      puts Ractor.new(text) { |dumped| Marshal.load(dumped).inspect }.take
    RUBY
    expect(outcome).to be_success, outcome.output
    expect(outcome.output).to include("[FILTERED]").and not_include("hunter2")
  end
end
