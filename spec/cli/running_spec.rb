# frozen_string_literal: true

RSpec.describe "tasker run" do
  include Support::CommandLine

  let(:greeting) do
    workflow("greet") do
      namespace "hall"
      step(:name) { |ctx| ctx.context["name"] or raise TaskerCore::PermanentError, "nobody" }
      step(:greet, depends_on: :name) { |ctx| "hello #{ctx.result(:name)}" }
    end
  end

  each_database do
    it "creates a task of the database" do
      handle.register(greeting)
      said = tasker!("run", "hall/greet", "--context", '{"name": "Ada"}', "--by", "eve", "--reason", "a try",
                     "--tag", "x", "--tag", "y", "--priority", "3", "--key", "k", "--run-at", "2001-01-31T00:00:00Z")
      task = handle.tasks.first
      expect([said.out, said.err]).to eq ["#{task.id}\n", ""]
      expect(task).to have_attributes(initiator: "eve", reason: "a try", tags: %w[x y], priority: 3, key: "k",
                                      run_at: Time.utc(2001, 1, 31), context: { "name" => "Ada" })
      expect(tasker("run", "hall/greet", "--key", "k")).to have_attributes(code: 1, err: /#{task.id}/)
      expect(tasker!("run", "hall/greet", "--key", "k", "--existing").out).to eq "#{task.id}\n"
      expect(tasker("run", "hall/gret")).to have_attributes(code: 1, err: /did you mean "greet"/)
      expect(tasker("run", "greet", "--wait", "--work")).to have_attributes(code: 2, err: /not both/)
    end

    it "takes its input from a file or from standard input" do
      handle.register(greeting)
      Tempfile.create("input") do |file|
        file.write('{"name": "Bo"}')
        file.flush
        tasker!("run", "hall/greet", "-c", "@#{file.path}")
      end
      tasker!("run", "greet", "--namespace", "hall", "-c", "-", input: '{"name": "Cy"}')
      expect(handle.tasks.map { |task| task.context["name"] }).to eq %w[Cy Bo]
      { "{" => /--context is no JSON/, "[1]" => /expected a JSON object/, "@none.json" => /--context: No such file/,
        "@/bin/true" => /no text in UTF-8/ }
        .each { |text, why| expect(tasker("run", "hall/greet", "-c", text)).to have_attributes(code: 2, err: why) }
    end

    it "waits for workers" do
      handle.register(greeting)
      expect(tasker("run", "hall/greet", "--wait", "50ms")).to have_attributes(code: 2, err: /"50ms" is no span/)
      said = tasker("run", "hall/greet", "--wait", "0.05")
      expect(said).to have_attributes(code: 1,
                                      err: /no worker is running: `tasker work` starts.*is pending after 50 ms/m)
      worker = handle.worker(threads: 1).start
      expect(tasker!("run", "hall/greet", "--wait", "20s", "-c",
                     '{"name":"D"}').out).to match(/\A\h{8}-.* complete\n\z/)
      said = tasker("run", "hall/greet", "--wait", "20s", "--json")
      expect([said.code, said.records]).to match [1, [include("status" => "error")]]
      worker.stop
    end

    it "runs a program's task in its own process" do
      Dir.mktmpdir do |folder|
        File.write("#{folder}/app.rb", <<~RUBY)
          class Greet < TaskerCore::Workflow
            step(:name) { |ctx| ctx.context["name"] or raise TaskerCore::PermanentError, "nobody" }
            step(:greet, depends_on: :name) { |ctx| "hello \#{ctx.result(:name)}" }
          end
        RUBY
        run = [RbConfig.ruby, "-W1", "#{Support::ROOT}/exe/tasker", "run", "greet", "-r", "app.rb", "--work",
               "--database", database.url]
        outcome = start_command([*run, "-c", '{"name": "Ada"}'], folder: folder).outcome
        task = handle.tasks.first
        expect(outcome.lines).to eq [task.id, "2 steps ran, 0 of them failed", "#{task.id} complete"]
        expect([outcome.status.exitstatus, task.step(:greet).result]).to eq [0, "hello Ada"]
        failed = start_command(run, folder: folder).outcome
        expect([failed.status.exitstatus,
                failed.output]).to match [1, /^name: TaskerCore::PermanentError: nobody\n\h{8}-.* error$/]
      end
    end
  end

  it "needs no database to draw a program's graph" do
    Dir.mktmpdir do |folder|
      File.write("#{folder}/app.rb", <<~RUBY)
        class CommandLineDrawn < TaskerCore::Workflow
          step(:a) {}
          step(:b, depends_on: :a) {}
        end
      RUBY
      Dir.chdir(folder) { expect(tasker!("graph", "command_line_drawn", "-r", "app.rb").out).to eq "●  a\n●  b\n" }
      expect(Dir.children(folder)).to eq ["app.rb"]
    end
  end
end
