# frozen_string_literal: true

module YamlSpec
  class Greet < TaskerCore::StepHandler
    def call(ctx) = ["hello", ctx.config]
  end
end

RSpec.describe "Templates in YAML files" do
  let(:folder) { Dir.mktmpdir("templates") }

  after { FileUtils.rm_rf(folder) }

  def write(text, name = "flow.yml")
    path = File.join(folder, name)
    FileUtils.mkdir_p(File.dirname(path))
    File.binwrite(path, text)
    path
  end

  # A template with these lines after its name.
  def flow(*lines, name: "flow") = "name: #{name}\nsteps:\n- name: a\n  handler: YamlSpec::Greet\n#{lines.join("\n")}"

  # What registering says, and that it changed nothing.
  def refusal(path, of = TaskerCore::ValidationError)
    handle
    before = count("tasker_named_tasks")
    error = error_of { yield || handle.register(path) }
    expect(error).to be_a(of), "#{error.class}: #{error.message}"
    expect(count("tasker_named_tasks")).to eq(before)
    error
  end

  def refusal_of(text) = refusal(write(text)) { nil }

  # The result of the one task of the flow.
  def result_of(text)
    handle.register(write(text))
    task = handle.create_task("flow")
    handle.work(until: :idle, timeout: 20)
    task.reload.step(:a).result
  end

  each_database do
    describe "hold JSON's values alone:" do
      {
        "a date" => ["  config: { at: 2026-01-31 }", "steps[0].config.at", 5, /2026-01-31 is a date/],
        "a time" => ["  config: { at: 2026-01-31T12:00:00Z }", "steps[0].config.at", 5, /is a date/],
        "a Symbol" => ["  config:\n    at: :now", "steps[0].config.at", 6, /:now is a Symbol/],
        "infinity" => ["  config:\n    n: .inf", "steps[0].config.n", 6, /\.inf is a number/],
        "NaN" => ["  timeout: .nan", "steps[0].timeout", 5, /\.nan/],
        "a tag" => ["  config: { n: !!binary aGVsbG8= }", "steps[0].config.n", 5, /tag/],
        "a set" => ["  config:\n    n: !!set { a }", "steps[0].config.n", 6, /tag/],
        "a Ruby object" => ["  config: !ruby/object:Object {}", "steps[0].config", 5, /tag/],
        "a key that is true" => ["  config:\n    on: 1", "steps[0].config", 6, /the key on.*true.*quote/],
        "a key that is a number" => ["  config:\n    1: 1", "steps[0].config", 6, /the key 1.*quote/],
        "a key that is a list" => ["  config:\n    ? [a]\n    : 1", "steps[0].config", 6, /no text/],
        "a key given twice" => ["  config:\n    a: 1\n    b: 2\n    a: 3", "steps[0].config.a", 8, /twice.*line 6/],
        "an alias without an anchor" => ["  config: { a: *nothing }", "steps[0].config.a", 5, /\*nothing stands for/],
        "an alias in its own anchor" => ["  config: &c { a: [*c] }", "steps[0].config.a[0]", 5, /holds itself/]
      }.each do |what, (lines, path, line, message)|
        it "#{what} is refused, with file and line" do
          error = refusal_of(flow(lines))
          expect(error).to have_attributes(path: path, message: match(message))
          expect(error.message).to end_with("(#{folder}/flow.yml:#{line})")
        end
      end

      it "every fault is told at once" do
        error = refusal_of(flow("  config:\n    a: 2026-01-31\n    b: :b\n    b: 2"))
        expect(error.faults.map { |fault| fault[:message][/\d+(?=\)\z)/].to_i }).to eq([6, 7, 8])
      end

      it "text that looks like something else is quoted" do
        config = '{ at: "2026-01-31", sym: ":a", "on": !!str yes, n: "1" }'
        expect(result_of(flow("  config: #{config}")))
          .to eq(["hello", { "at" => "2026-01-31", "sym" => ":a", "on" => "yes", "n" => "1" }])
      end
    end

    describe "are one document of text:" do
      {
        "nothing" => ["", 1, /mapping/],
        "a comment" => ["# later", 1, /mapping/],
        "a list" => ["- 1", 1, /mapping/],
        "two documents" => ["name: a\nsteps: []\n---\nname: b", 3, /second document/],
        "a tab" => ["name: flow\nsteps:\n\t- name: a", 3, /tabs/],
        "something in UTF-16" => ["name: a".encode(Encoding::UTF_16), 1, /UTF-8/],
        "something in Latin-1" => ["name: a\ndescription: \xE4", 2, /UTF-8/],
        "NUL" => ["name: a\nb: \0", 2, /control characters/],
        "an unclosed bracket" => ["name: a\nsteps: [\n\n", 4, /flow/]
      }.each do |what, (text, line, message)|
        it "#{what} is refused, with file and line" do
          error = refusal_of(text)
          expect(error.message).to match(message).and end_with("(#{folder}/flow.yml:#{line})")
        end
      end

      it "a byte order mark is no part of it" do
        expect(result_of("\uFEFF#{flow}")).to eq(["hello", {}])
      end

      it "a missing file is one that can't be read" do
        expect(refusal("#{folder}/none.yml", TaskerCore::ConfigurationError) { nil }.message).to include("none.yml")
      end

      it "aliases stand for what they name, and a mapping's own keys win over merged ones" do
        config = ["  config:", "    base: &base { a: 1, b: { c: 2 } }", "    full: { a: 3, <<: *base }",
                  "    list: [*base, *base]"]
        base = { "a" => 1, "b" => { "c" => 2 } }
        expect(result_of(flow(*config)))
          .to eq(["hello", { "base" => base, "full" => { **base, "a" => 3 }, "list" => [base, base] }])
      end

      it "a fault in what was merged is in the line in which it was written" do
        text = "defaults: &d\n  retry_limit: 0\nname: flow\nsteps:\n- <<: *d\n  name: a\n  handler: YamlSpec::Greet\n"
        error = refusal_of(text)
        expect(error.faults.map { |fault| fault[:message] }).to include(end_with(":2)"))
      end

      it "a bomb of aliases does not go off" do
        bomb = ("a".."i").each_cons(2).map { |one, two| "    #{two}: &#{two} [#{(["*#{one}"] * 9).join(", ")}]" }
        error = refusal_of(flow("  config:", "    a: &a [#{(["x"] * 9).join(", ")}]", *bomb))
        expect(error.message).to include("aliases")
      end

      it "brackets without end do not exhaust the stack" do
        error = refusal_of(flow("  config: { a: #{"[" * 900}#{"]" * 900} }"))
        expect(error.message).to match(/deep|nest/).and include("flow.yml:")
      end
    end

    describe "name handlers" do
      it "that are found when a step runs, so that a reloaded class is the new one" do
        stub_const("YamlSpec::Reloaded", Class.new(TaskerCore::StepHandler) { def call(_ctx) = "old" })
        handle.register(write(flow.sub("Greet", "Reloaded")))
        first = handle.create_task("flow")
        handle.work(until: :idle, timeout: 20)
        stub_const("YamlSpec::Reloaded", Class.new(TaskerCore::StepHandler) { def call(_ctx) = "new" })
        second = handle.create_task("flow")
        handle.work(until: :idle, timeout: 20)
        expect([first, second].map { |task| task.reload.step(:a).result }).to eq(%w[old new])
      end

      it "that are loaded when they are first named, as Zeitwerk does it" do
        source = write("module YamlSpec\n  class Lazy\n    def call(_ctx) = 'loaded'\n  end\nend", "lazy.rb")
        YamlSpec.autoload(:Lazy, source)
        expect(result_of(flow.sub("Greet", "Lazy"))).to eq("loaded")
      ensure
        YamlSpec.send(:remove_const, :Lazy)
      end

      it "whose file fails to load are refused with its reason" do
        source = write("module YamlSpec\n  Broken = Class.new(NoSuchBase)\nend", "broken.rb")
        YamlSpec.autoload(:Broken, source)
        error = refusal_of(flow.sub("Greet", "Broken"))
        expect(error.message).to include("NoSuchBase", "flow.yml:4")
      ensure
        YamlSpec.send(:remove_const, :Broken)
      end

      { "YamlSpec::Great" => "YamlSpec::Greet", "TaskerCore::StepHandler::HTTP" => "TaskerCore::StepHandler::Http" }
        .each do |wrong, right|
        it "that don't exist are refused with the nearest that does: #{wrong}" do
          error = refusal_of(flow.sub("YamlSpec::Greet", wrong))
          expect(error).to have_attributes(path: "steps[0].handler", message: include(wrong, %("#{right}")))
          expect(error.message).to end_with("(#{folder}/flow.yml:4)")
        end
      end
    end

    describe "in a directory" do
      def register = handle.register_directory(folder)

      it "are all registered, those in directories in it too, in the order of their paths" do
        write(flow(name: "c"), "b/c.yaml")
        write(flow(name: "a"), "a.yml")
        write(flow(name: "b"), "b/b.yml")
        write("not a template", "b/README.md")
        FileUtils.mkdir_p("#{folder}/d.yml")
        templates = register
        expect(templates).to all(be_a(TaskerCore::Template))
        expect(templates.map(&:name)).to eq(%w[a b c])
        task = handle.create_task("c")
        handle.work(until: :idle, timeout: 20)
        expect(task.reload).to be_complete
      end

      it "are none where it is empty" do
        expect(register).to eq([])
      end

      it "are looked for in config/tasker where nothing else is said, and on the default handle" do
        write(flow, "config/tasker/flow.yml")
        names = ask_program(<<~RUBY, folder: folder)
          module YamlSpec
            class Greet
              def call(_ctx) = 1
            end
          end
          TaskerCore.configure { |c| c.database_url = ENV["URL"] }
          puts TaskerCore.register_directory.map(&:name).to_json
        RUBY
        expect(names).to eq(["flow"])
      end

      it "are registered all or not at all, and all their faults told at once" do
        write(flow(name: "good"), "a.yml")
        write(flow("  retry_limit: 0\n  timeout: -1", name: "b"), "b.yml")
        write("name: [", "c.yml")
        write(flow("  handlr: x", name: "d"), "deep/d.yml")
        write(flow(name: "twice"), "e.yml")
        write(flow(name: "twice"), "f.yml")
        error = refusal(nil) { register }
        expect(error.faults.map { |fault| fault[:message] })
          .to contain_exactly(include("b.yml:5"), include("b.yml:6"), include("c.yml:"),
                              include("handlr", "deep/d.yml:5"), include("default/twice 1.0.0", "e.yml", "f.yml"))
        expect(error.message).to include("b.yml:5", "c.yml", "deep/d.yml")
      end

      it "that doesn't exist, or can't be one, are refused" do
        { "#{folder}/none" => TaskerCore::ConfigurationError, "a\0b" => TaskerCore::ConfigurationError,
          nil => TaskerCore::ValidationError, 7 => TaskerCore::ValidationError }.each do |path, error|
          expect { handle.register_directory(path) }.to raise_error(error)
        end
      end
    end
  end
end
