# frozen_string_literal: true

require "pp" # rubocop:disable Lint/RedundantRequireStatement -- PP itself is loaded only when pp is called
require "time"
require "yaml"

RSpec.describe TaskerCore::Snapshot do
  each_database do
    # A task that ran, with every kind of value in it.
    let(:task) do
      flow = workflow do
        step(:fetch) { |ctx| { "rows" => [ctx.context["n"], 2.5, nil], "status" => "pending" } }
        step(:fail, depends_on: :fetch, retry_limit: 1, queue: "slow") { raise "no luck" }
      end
      handle.register(flow)
      created = handle.create_task("flow", context: { n: 1, status: "pending" }, key: "k", tags: %w[red blue],
                                           initiator: "Ada", reason: "why not")
      handle.work(until: :idle, timeout: 20)
      created.reload
    end

    # One of each class that a user is given.
    let(:snapshots) do
      note = task.annotate("note", { "n" => [1, nil] }, by: "Ada")
      [task, *task.steps, *task.history, note, handle.info]
    end

    it "have every field in to_h, in the order of FIELDS, as its reader gives it" do
      snapshots.each do |snapshot|
        fields = snapshot.class.const_get(:FIELDS)
        expect(snapshot.to_h.keys).to eq(fields)
        expect(snapshot.to_h).to eq(fields.to_h { |field| [field, snapshot.public_send(field)] })
      end
    end

    it "give a Hash of one's own" do
      task.to_h[:name] = "mine"
      expect([task.to_h[:name], task.to_h.frozen?]).to eq(["flow", false])
    end

    it "give the same JSON by themselves, in other values, and laid out for people" do
      snapshots.each do |snapshot|
        plain = snapshot.as_json
        expect(JSON.parse(snapshot.to_json)).to eq(plain)
        expect(JSON.parse(JSON.generate([snapshot]))).to eq([plain])
        expect(JSON.pretty_generate([snapshot]).lines.size).to be > plain.size
        expect(JSON.parse(JSON.pretty_generate([snapshot]))).to eq([plain])
      end
    end

    it "write times in JSON to the microsecond, in UTC" do
      text = JSON.parse(task.to_json).fetch("created_at")
      expect(text).to match(/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\z/)
      expect(Time.iso8601(text)).to eq(task.created_at)
    end

    it "take only: and except: as ActiveSupport gives them" do
      expect(task.as_json(only: [:name, "status"])).to eq("name" => "flow", "status" => "error")
      expect(task.as_json(only: :name, prefixes: ["x"])).to eq("name" => "flow")
      expect(task.as_json(except: "context")).to eq(task.as_json.except("context"))
      expect(JSON.parse(task.to_json(only: [:name]))).to eq("name" => "flow")
    end

    it "take them in an application with ActiveSupport's JSON, too" do
      task_id = task.id
      given = ask_program(<<~RUBY, task_id)
        require "active_support"
        require "active_support/json"
        task = TaskerCore.open(ENV["URL"]).task(ARGV[0])
        puts JSON.generate([task.to_json(only: [:name]), [task].to_json(only: :status), task.to_json,
                            task.to_json(except: %i[context id])].map { |text| JSON.parse(text) })
      RUBY
      expect(given).to eq([{ "name" => "flow" }, [{ "status" => "error" }], task.as_json,
                           task.as_json.except("context", "id")])
    end

    it "become plain YAML that is safe to load, also where the same word comes often" do
      snapshots.each { |snapshot| expect(YAML.safe_load(snapshot.to_yaml)).to eq(snapshot.as_json) }
      expect(YAML.safe_load(YAML.dump({ "all" => snapshots }))).to eq("all" => snapshots.map(&:as_json))
    end

    it "are laid out by pp with every field" do
      snapshots.each do |snapshot|
        lines = PP.pp(snapshot, +"", 40).lines(chomp: true)
        expect(lines.first).to eq("#<#{snapshot.class}")
        expect(lines.last).to end_with(">")
        snapshot.to_h.each_key { |field| expect(lines).to include(start_with(" #{field}:")) }
      end
    end

    it "are loaded from Marshal with the same fields, frozen" do
      snapshots.each do |snapshot|
        loaded = Marshal.load(Marshal.dump(snapshot))
        expect(loaded.to_h).to eq(snapshot.to_h)
        expect(loaded).to be_frozen
      end
      expect(Marshal.load(Marshal.dump(task))).to have_attributes(error?: true, pending?: false, ended?: true)
    end

    it "are themselves when they are copied" do
      snapshots.each { |snapshot| expect([snapshot.dup, snapshot.clone]).to all(equal(snapshot)) }
    end

    it "are equal, and the same key of a Hash, when all fields are" do
      pairs = [[task, handle.task(task.id)], *task.steps.zip(task.steps), *task.history.zip(task.history)]
      pairs.each do |one, other|
        expect(one).not_to equal(other)
        expect([one == other, one.eql?(other), one.hash == other.hash]).to eq([true, true, true])
      end
      expect(task.steps.uniq.size).to eq(2)
      expect(task.history.uniq.size).to eq(task.history.size)
    end

    it "are no equals of anything else" do
      others = [nil, task.to_h, BasicObject.new, Marshal.load(Marshal.dump(task)), *task.steps]
      expect(others.map { |other| [task == other, task.eql?(other)] }.uniq).to eq([[false, false]])
    end

    it "tell 1 from 1.0 as Ruby does: equal, but not the same key" do
      before = task
      database.query("UPDATE tasker_tasks SET context = '{\"n\":1.0,\"status\":\"pending\"}'")
      after = before.reload
      expect([before.context["n"], after.context["n"]]).to all(eq(1))
      expect([before == after, before.eql?(after), before.hash == after.hash]).to eq([true, false, false])
    end

    it "give patterns what they ask for, and nothing that there isn't" do
      expect(task.deconstruct_keys(%i[name nothing status])).to eq(name: "flow", status: "error")
      expect(task.deconstruct_keys(nil)).to eq(task.to_h)
      expect { task => { nothing: } }.to raise_error(NoMatchingPatternKeyError)
    end

    it "give names as one frozen String each, however often they are read" do
      reads = [task, handle.task(task.id)].product(%i[namespace name version status queue])
      strings = reads.map { |snapshot, field| snapshot.public_send(field) }
      expect(strings).to all(be_frozen)
      expect(strings.uniq(&:object_id).map(&:itself)).to match_array(strings.uniq)
    end

    it "keep the keys of large and of repeated records in their order, with the last of two values" do
      wide = (0...3_000).to_h { |n| ["field #{n}", n] }
      long = "a key of more than sixty-four characters #{"x" * 64}"
      records = Array.new(200) { |n| { "sku" => n, long => n, "" => n } }
      context = handle.create_task("flow", context: { wide: wide, records: records }).context if task
      expect(context["wide"].to_a).to eq(wide.to_a)
      expect(context["records"]).to eq(records)
      database.query("UPDATE tasker_tasks SET context = '{\"a\":1,\"b\":2,\"a\":3}'")
      expect(task.reload.context).to eq("a" => 3, "b" => 2)
    end
  end

  on_sqlite do
    it "are escaped in JSON as ActiveSupport escapes a Hash, where that is loaded" do
      text = ask_program(<<~RUBY)
        module ActiveSupport
          module JSON; end
        end
        Hash.prepend(Module.new { def to_json(*) = super.gsub("<", '\\u003c') })
        handle = TaskerCore.open("sqlite::memory:")
        handle.register({ name: "flow", steps: [{ name: "a", handler: ->(_) {} }] })
        puts JSON.generate([handle.create_task("flow", context: { html: "<b>" }).to_json])
      RUBY
      expect(text.first).to include('"\\u003cb>"')
      expect(JSON.parse(text.first)["context"]).to eq("html" => "<b>")
    end

    it "say so when the database gives what is no JSON" do
      handle.register(single { 1 })
      task = handle.create_task("flow")
      database.query("UPDATE tasker_tasks SET context = '{\"a\":'")
      damaged = task.reload
      [-> { damaged.context }, -> { damaged.to_h }, -> { damaged.to_json }].each do |read|
        expect(&read).to raise_error(TaskerCore::InternalError, /not JSON/)
      end
      expect(damaged.name).to eq("flow")
    end
  end
end
