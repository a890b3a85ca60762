# frozen_string_literal: true

RSpec.describe "tasker, about tasks" do
  include Support::CommandLine

  # a → (b, c) → d; c fails where the context says so.
  let(:flow) do
    workflow("order") do
      namespace "shop"
      search "customer"
      step(:a) { |ctx| ctx.context["n"] }
      step(:b, depends_on: :a) { 2 }
      step(:c, depends_on: :a, retry_limit: 1) { |ctx| ctx.context["fail"] ? raise("no\nway") : 3 }
      step(:d, depends_on: %i[b c]) { 4 }
    end
  end

  def create(context = {}, **options)
    handle.register(flow)
    handle.create_task("order", namespace: "shop", context: context, **options)
  end

  def worked(context = {}, **options)
    create(context, **options).tap { handle.work(until: :idle, timeout: 20) }
  end

  each_database do
    describe "list" do
      it "lists those that match, for people and for programs" do
        failed = worked({ fail: true, customer: 7 }, key: "k1", tags: ["x"])
        waiting = create
        rows = tasker!("list").lines
        expect(rows.first).to match(/\AID +TEMPLATE +STATUS +CREATED +TOOK +ABOUT\z/)
        expect(rows.drop(1)).to match [/\A#{waiting.id}  shop.order 1.0.0  pending /,
                                       /\A#{failed.id}  shop.order 1.0.0  error .* k1 #x c: no way\z/]
        expect(tasker!("list", "--status", "error,paused", "--json").records)
          .to match [include("id" => failed.id, "status" => "error", "context" => { "fail" => true, "customer" => 7 })]
        expect(tasker!("list", "--context", "customer=7", "--count").out).to eq "1\n"
        expect(tasker!("list", "--context", "customer=8", "--count", "--json").out).to eq "{\"count\":0}\n"
        expect(tasker!("list", "--created-after", "1h", "--name", "order", "--tag", "x", "--json").records.size).to eq 1
        expect(tasker!("list", "--finished-before", "2001-01-31").err).to eq "no task matches\n"
      end
    end

    describe "show" do
      it "draws the graph, with what holds a step up" do
        task = worked({ fail: true, token: "hidden" })
        said = tasker!("show", task.id).out
        expect(said).to start_with("shop/order 1.0.0  error\n").and include("id       #{task.id}", '"[FILTERED]"')
        expect(said).not_to include("hidden")
        graph = said[/\n\n(.*?)\n\n/m, 1].lines(chomp: true).map { |line| line.sub(/  [\d.]+ m?s\b/, "") }
        expect(graph).to eq ["✓    a     complete", "├─╮", "✓ │  b     complete", "│ ✗  c     error", "├─╯",
                             "○    d     pending  blocked: needs c, which failed"]
        expect(said).to include("\nc: RuntimeError: no way\n  ")
      end

      it "says what a task waits for" do
        task = create
        expect(tasker!("show", task.id).out)
          .to match(/a +pending  ready, but no worker is running: tasker work$/)
          .and match(/d +pending  waits for b, c$/)
        task.pause(by: "ada", reason: "Sunday")
        expect(tasker!("show", task.id, "--history").out)
          .to match(/a +pending  its task is paused: tasker resume$/)
          .and match(/\(task\) +pending -> paused +ada +Sunday$/)
      end

      it "takes the start of an id, as long as it is the only one" do
        task = create
        expect(tasker!("show", task.id[0, 13]).out).to include(task.id)
        other = create
        short = task.id[0, 8]
        said = tasker("show", short)
        expect([said.code, said.err]).to match [1, /several tasks' ids begin with #{short}: #{other.id}, #{task.id}$/]
        said = tasker("show", "00000000")
        expect([said.code, said.err]).to eq [1, "tasker: there is no task whose id begins with 00000000\n"]
        said = tasker("show", "order")
        expect([said.code, said.err]).to eq [2, "tasker: id: \"order\" is not a task's id\n"]
      end
    end

    describe "graph" do
      it "draws tasks, and templates of the database" do
        task = worked({ n: 1 })
        expect(tasker!("graph", task.id).out).to start_with("✓    a (complete)\n")
        expect(tasker!("graph", "shop/order", "--format", "ascii").out).to start_with("*    a\n+-.\n")
        expect(tasker!("graph", "order", "--namespace", "shop", "-f", "dot").out).to include("s0 -> s1;")
        expect(tasker!("graph", "shop/order", "--json").records.first["steps"].size).to eq 4
        Dir.mktmpdir do |folder|
          tasker!("graph", task.id, "-f", "svg", "-o", "#{folder}/a.svg")
          expect(File.read("#{folder}/a.svg")).to start_with("<svg")
          expect(tasker("graph", task.id, "-o",
                        "#{folder}/none/a.svg")).to have_attributes(code: 1, err: /--output: No such/)
        end
        expect(tasker("graph", "shop/ordre")).to have_attributes(code: 1, err: /did you mean "order"/)
        expect(tasker("graph", "shop/order", "-f",
                      "mermiad")).to have_attributes(code: 2, err: /did you mean "mermaid"/)
      end
    end

    describe "cancel, pause, resume and retry" do
      it "take one task, with who does it and why" do
        task = create
        expect(tasker!("pause", task.id, "--by", "ada", "--reason", "Sunday").out).to eq "#{task.id} paused\n"
        expect(task.history.last).to have_attributes(to: "paused", by: "ada", reason: "Sunday")
        expect(tasker!("resume", task.id, "--json").records).to match [include("status" => "pending")]
        tasker!("cancel", task.id[0, 18])
        expect(task.reload.status).to eq "cancelled"
        expect(tasker("pause", task.id)).to have_attributes(code: 1, out: "", err: /cancelled/)
      end

      it "take all that match conditions" do
        failed = [worked({ fail: true }), worked({ fail: true })]
        other = worked({ n: 1 })
        expect(tasker("retry")).to have_attributes(code: 2, err: /name tasks by their ids, or conditions/)
        expect(tasker!("retry", "--status", "error", "--dry-run").lines).to match_array(failed.map(&:id))
        expect(tasker!("retry", "--status", "error", "--yes").out).to eq "2 tasks retried\n"
        expect([*failed, other].map { |task| task.reload.status }).to eq %w[in_progress in_progress complete]
        expect(tasker!("retry", "--status", "error", "--yes", "--json").records)
          .to eq [{ "count" => 0, "task_ids" => [], "refused" => {} }]
      end

      it "hold a queue back" do
        expect(tasker!("pause", "--queue", "mail", "--reason",
                       "down").out).to start_with("the queue mail is paused since ")
        expect(handle.paused_queues.map(&:reason)).to eq ["down"]
        expect(tasker!("resume", "--queue", "mail").out).to eq "the queue mail is resumed\n"
        expect(tasker!("resume", "--queue", "mail").out).to eq "the queue mail was not paused\n"
      end
    end

    describe "watch" do
      it "follows a task to its end" do
        task = create({ n: 1 })
        worker = Thread.new { handle.work(until: :idle, timeout: 20) }
        said = tasker!("watch", task.id, "--interval", "0.05")
        expect(said.lines).to end_with("#{task.id} complete")
        expect(said.lines[-2]).to match(%r{ complete 4/4 steps done\z})
        worker.join
        failed = worked({ fail: true })
        said = tasker("watch", failed.id, "--json")
        expect([said.code, said.records])
          .to eq [1, [{ "id" => failed.id, "status" => "error",
                        "steps" => { "complete" => 2, "error" => 1, "pending" => 1 } }]]
      end
    end

    describe "purge" do
      it "deletes what ended long enough ago" do
        worked({ n: 1 })
        create
        expect(tasker!("purge", "--older-than", "1h", "--yes").out).to eq "0 tasks deleted\n"
        expect(tasker!("purge", "--older-than", "0s", "--dry-run").out).to eq "1 task would be deleted\n"
        expect(tasker("purge", "--older-than", "0s")).to have_attributes(code: 2, err: /Delete 1 task that ended/)
        said = tasker!("purge", "--older-than", "0s", "--yes", "--json")
        expect([said.out, said.err]).to eq ["{\"deleted\":1}\n", ""]
        expect(handle.tasks.count).to eq 1
        expect(tasker("purge", "--older-than", "soon")).to have_attributes(code: 2, err: /"soon" is no moment/)
      end
    end
  end

  # What has nothing to do with the database under it.
  on_sqlite do
    {
      %w[list --limit 0] => "--limit: 0 is not from 1 to 1000000000",
      %w[list --limit 99999999999999999999] => "--limit: 99999999999999999999 is not from 1 to 1000000000",
      %w[purge --older-than 1d --batch 0] => "--batch: 0 is not from 1 to 10000",
      %w[purge --older-than 1d --batch 99999999999999999999] => "--batch: 99999999999999999999 is not from 1 to 10000",
      %w[work --drain -1] => "--drain: -1.0 is not from 0 to 1000000000",
      %w[work --drain 1e999] => "--drain: Infinity is not from 0 to 1000000000",
      %w[work --probe-port 65536] => "--probe-port: 65536 is not from 0 to 65535"
    }.each do |argv, said|
      it "refuses #{argv.join(" ")} before it does anything" do
        expect(tasker(*argv)).to have_attributes(code: 2, out: "", err: "tasker: #{said}\n")
      end
    end

    it "says that there are more tasks than it lists" do
      3.times { create }
      said = tasker!("list", "-n", "2")
      expect([said.lines.size, said.err]).to eq [3, "there are more: --limit or --all shows them\n"]
      expect(tasker!("list", "--all").lines.size).to eq 4
      expect(tasker!("list", "-n", "3").err).to be_empty
    end

    it "shows attempts, and when the next one is" do
      handle.register(workflow do
        step(:only) { |ctx| raise TaskerCore::RetryableError.new("busy", retry_after: ctx.attempt < 2 ? 0.001 : 900) }
      end)
      task = handle.create_task("flow")
      eventually do
        handle.work(until: :idle, timeout: 0.1)
        task.step(:only).attempts == 2
      end
      expect(tasker!("show", task.id).out)
        .to match(/only +waiting_for_retry .*attempt 2 of 3  next attempt in 1\d m \d+ s$/)
    end

    it "shows nothing that others wrote and that would move the cursor" do
      worked({ "\e[2J" => 1 }, key: "k\e[2J", tags: ["\e]0;x\a"], initiator: "i\u009B1m", reason: "\e[31m")
      task = handle.create_task("order", namespace: "shop", context: { fail: true }, reason: "\e[1A")
      task.cancel(by: "\e[1mada", reason: "\e[5m")
      said = handle.tasks.map { |found| tasker!("show", found.id, "--history", "--results").out }
      expect([*said, tasker!("list").out].join.delete("\n")).not_to match(/[[:cntrl:]]/)
    end

    it "shows a task as JSON for programs" do
      task = worked({ n: 1 })
      record = tasker!("show", task.id, "--json", "--history").records.first
      expect(record).to include("id" => task.id, "status" => "complete",
                                "execution" => include("execution_status" => "all_complete"))
      expect(record["steps"].first).to include("name" => "a", "result" => 1, "reason" => nil)
      expect(record["history"].size).to eq task.history.size
      expect(tasker!("show", task.id, "--results").out).to match(/^a +1$/)
    end

    it "shows the items of a list as one step, unless they are asked for" do
      handle.register(workflow do
        step(:split) { [1, 2] }
        step(:part, depends_on: :split, each: :split, retry_limit: 1) { |ctx| raise "no" if ctx.item == 2 }
      end)
      task = handle.create_task("flow")
      handle.work(until: :idle, timeout: 20)
      expect(tasker!("show", task.id).out).to match(%r{part +pending .*1/2 items done, 1 in error})
                                          .and include("\npart[1]: RuntimeError: no\n")
      expect(tasker!("show", task.id, "--items").out).to match(/part\[0\] +complete/)
    end

    it "cancels several tasks when that is meant" do
      first = create
      second = create
      said = tasker("cancel", first.id, second.id)
      expect([said.code, said.err]).to match [2, /Cancel 2 tasks\? Say so with --yes/]
      expect(tasker!("cancel", first.id, second.id,
                     "--dry-run")).to have_attributes(err: "2 tasks would be cancelled\n")
      tasker!("cancel", first.id, second.id, "--yes")
      expect([first, second].map { |task| task.reload.status }).to eq %w[cancelled cancelled]
    end

    it "asks a person before it cancels what matches" do
      create
      master, slave = PTY.open
      master.puts "n"
      out = StringIO.new
      code = TaskerCore::CLI.run(["cancel", "--name", "order", "--database", database.url], out: out, err: slave,
                                                                                            in: slave)
      asked = +""
      eventually { (asked << master.readpartial(1_000)).include?("Cancel 1 task? [y/N]") }
      expect(code).to eq 1
    ensure
      TaskerCore::OrchestrationManager.instance.close
      TaskerCore.configuration.database_url = nil
      ENV.delete("TASKER_DATABASE_URL")
    end

    it "retries one step, or from a step on" do
      task = worked({ fail: true })
      tasker!("retry", task.id, "--step", "c")
      expect(task.reload.status).to eq "in_progress"
      done = worked({ n: 1 })
      tasker!("retry", done.id, "--from", "b", "--by", "ada")
      expect(done.steps.map(&:status)).to eq %w[complete pending complete pending]
      expect(tasker("retry", done.id, "--step", "bb")).to have_attributes(code: 1, err: /no step "bb"/)
    end

    it "watches no longer than it is told" do
      task = create
      expect(tasker("watch", task.id, "--timeout", "0.05", "--interval", "10ms")).to have_attributes(code: 2)
      expect(tasker("watch", task.id, "--timeout", "0.05")).to have_attributes(code: 1, err: /is pending after 50 ms/)
    end
  end

  it "does not make a database by looking for one" do
    Dir.mktmpdir do |folder|
      Dir.chdir(folder) do
        said = tasker("list")
        expect([said.code, said.err]).to match [1, /sqlite:tasker.sqlite3 holds no tasks: .*`tasker migrate`/]
        expect(Dir.children(folder)).to be_empty
      end
    end
  end
end
