# frozen_string_literal: true

require "open3"

RSpec.describe "tasker, about the whole" do
  include Support::CommandLine

  # A command in a process of its own, in a folder with these files.
  def tasker_in(files, *argv, env: {})
    Dir.mktmpdir do |folder|
      files.each do |name, text|
        FileUtils.mkdir_p(File.dirname("#{folder}/#{name}"))
        File.write("#{folder}/#{name}", text)
      end
      env = { "TASKER_DATABASE_URL" => nil, **env }
      command = [RbConfig.ruby, "-W1", "#{Support::ROOT}/exe/tasker", *argv]
      out, err, status = Open3.capture3(env, *command, chdir: folder)
      [Support::CommandLine::Said.new(status.exitstatus, out, err), Dir.children(folder)]
    end
  end

  good = <<~RUBY
    class Order < TaskerCore::Workflow
      step(:a) { 1 }
      step(:b, depends_on: :a) { |ctx| ctx.result(:a) }
    end
  RUBY

  describe "check" do
    it "works without a database, and makes none" do
      said, files = tasker_in({ "app.rb" => good }, "check", "-r", "app.rb", env: { "TASKER_THREADS" => "7" })
      expect([said.code, said.err]).to eq [0, ""]
      expect(said.out).to match(/^threads +7 +environment variable TASKER_THREADS$/)
        .and match(/^pool +5 +default$/)
        .and include("\nTemplates\ndefault/order 1.0.0\n", "7 threads, a pool of 5", "\n0 errors, 1 warning\n")
        .and match(/^warning: database: has no tables yet: `tasker migrate` makes them$/)
      expect(files).to eq ["app.rb"]
      said, = tasker_in({ "app.rb" => good }, "check", "-r", "app.rb", "--strict")
      expect(said.code).to eq 1
    end

    it "finds what is wrong with templates, of classes and of files" do
      bad = good.sub("ctx.result(:a)", "ctx.result(:aa)")
      yaml = "name: mail\nsteps:\n  - name: send\n    handler: Nowhere\n    depnds_on: a\n"
      said, = tasker_in({ "app.rb" => bad, "config/tasker/mail.yml" => yaml }, "check", "-r", "app.rb", "--offline",
                        "--format", "json")
      record = said.records.first
      expect(said.code).to eq 1
      expect(record).to include("ok" => false, "database" => nil)
      expect(record["problems"].map { |problem| problem["message"] })
        .to match_array [/reads the result of "aa", and there is no such step \(did you mean "a"\?\)/,
                         %r{depnds_on.*config/tasker/mail.yml:5}, %r{no constant Nowhere.*config/tasker/mail.yml:4}]
      expect(record["problems"].filter_map { |problem| problem["place"] }).to match [end_with("app.rb:3")]
    end

    each_database do
      it "compares templates with what tasks use" do
        handle.register({ name: "order", steps: [{ name: "a" }] }, handlers: { a: ->(_ctx) {} })
        handle.create_task("order")
        said, = tasker_in({ "app.rb" => good }, "check", "-r", "app.rb", "--database", database.url)
        expect(said.code).to eq 1
        expect(said.out).to include('error: default/order 1.0.0: steps[1]: the step "b" is new')
        expect(handle.template("order").steps).to eq ["a"]
      end

      it "says what the database is" do
        said = tasker("check", "--json")
        expect(said.records.first["database"]).to include("schema" => an_instance_of(Integer), "error" => nil)
        database.newer_schema
        said = tasker("check", "--json")
        expect(said.records.first["problems"].map { |problem| problem["message"] })
          .to include(/was written by a newer tasker_core .*: upgrade the gem/)
      end
    end

    it "finds what is wrong with templates that the program registered" do
      app = <<~RUBY
        TaskerCore.configure { |c| c.database_url = "sqlite:app.sqlite3" }
        reads = ->(ctx) { ctx.result(:aa) }
        TaskerCore.register({ name: "order", steps: [{ name: "a" }, { name: "b", depends_on: ["a"] }] },
                            handlers: { a: ->(_ctx) { 1 }, b: reads })
      RUBY
      said, = tasker_in({ "app.rb" => app }, "check", "-r", "app.rb")
      expect([said.code, said.err]).to eq [1, ""]
      expect(said.out).to include("\nTemplates\ndefault/order 1.0.0\n")
        .and match(%r{^error: default/order 1.0.0 step b: reads the result of "aa", and there is no such step})
    end

    it "says that there is no server" do
      said = tasker("check", "--database", "postgres://127.0.0.1:1/none?connect_timeout=0.2")
      expect([said.code, said.out]).to match [1, /^error: database: PostgreSQL at 127.0.0.1:1 cannot be reached/]
    end
  end

  describe "migrate" do
    it "makes the tables of a new file, once" do
      Dir.mktmpdir do |folder|
        url = "sqlite://#{folder}/new.sqlite3"
        said = tasker("migrate", "--check", "--database", url)
        expect([said.code, said.out]).to match [1, /\Aschema none, to be migrated to \d+\n\z/]
        expect(tasker!("migrate", "--database", url).out).to match(/\Aschema none -> \d+\n\z/)
        expect(tasker!("migrate", "--database", url, "--check").out).to match(/\Aschema \d+, up to date\n\z/)
        expect(tasker!("migrate", "--database", url, "--json").records).to match [include("changed" => false)]
      end
    end

    each_database do
      it "leaves what is up to date alone" do
        expect(tasker!("migrate").out).to match(/up to date/)
        database.newer_schema
        [[], ["--check"]].each do |options|
          expect(tasker("migrate", *options))
            .to have_attributes(code: 2, out: "", err: /newer tasker_core \(schema \d+, this one knows \d+\); upgrade/)
        end
      end
    end
  end

  describe "stats" do
    each_database do
      it "tells how tasks went" do
        run_task(workflow { step(:a) { 1 } })
        run_task(workflow("bad") { step(:a, retryable: false) { raise "no" } })
        handle.pause_queue("mail", by: "ada", reason: "down")
        said = tasker!("stats").out
        expect(said).to match(/^tasks +2: 1 complete, 1 error$/).and match(%r{^default/flow 1.0.0 +1 +1 +0 })
          .and match(/^mail +\(all\) +\S+ \S+ +ada +down$/).and match(%r{^\h{8}-.*/a +flow +complete })
        record = tasker!("stats", "--since", "1h", "--name", "bad", "--json").records.first
        expect(record["analytics"]).to include("ended" => 1, "failed" => 1)
        expect(record["health"]["tasks"]).to include("complete" => 1)
        expect(record["paused_queues"]).to match [include("queue" => "mail", "by" => "ada")]
      end
    end
  end

  describe "doctor" do
    each_database do
      it "tells of versions, database and disk" do
        said = tasker("doctor")
        expect([said.code, said.err]).to eq [0, ""]
        expect(said.out).to include("version    #{TaskerCore::VERSION}\n", RUBY_DESCRIPTION).and match(/total +0$/)
        expect(said.out).to match(sqlite? ? /flush +[\d.]+ m?s$/ : /commit +[\d.]+ m?s$/)
        expect(said.out).to match(/locks +work$/) if sqlite?
        record = tasker!("doctor", "--json").records.first
        expect(record["database"]).to include("url" => TaskerCore::Native.redacted_url(database.url))
        expect(record.dig("database", "schema")).to eq record.dig("database", "newest_schema")
      end
    end

    on_postgres do
      it "names who has kept a transaction open, and warns of one that is for long" do
        IO.popen(database.client_command, "r+") do |client|
          client.puts("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_backend_pid();")
          pid = client.gets.to_i
          found = eventually { tasker!("doctor", "--json").records.first.dig("database", "oldest_transaction") }
          expect(found).to match(/\A[1-9][\d.]* s, process #{pid}, user \w+, psql, idle in transaction\z/)
        end
        old = { oldest_transaction: { seconds: 754.0, holder: "process 12, psql" } }
        state = TaskerCore::CLI::Database.new(database.url).state.merge(old)
        allow(TaskerCore::CLI::Database).to receive(:new).and_wrap_original do |new, *all, **options|
          new.call(*all, **options).tap { |looked| allow(looked).to receive(:state).and_return(state) }
        end
        expect(tasker!("doctor").out)
          .to match(/^  oldest transaction +12 m 34 s, process 12, psql$/)
          .and match(/^warning: database: a transaction has been open for 12 m 34 s \(process 12, psql\): until/)
      end
    end

    it "says what is wrong" do
      said = tasker("doctor", "--database", "postgres://127.0.0.1:1/none?connect_timeout=0.2")
      expect([said.code, said.out]).to match [1, /^error: database: PostgreSQL at 127.0.0.1:1 cannot be reached/]
      expect(tasker("doctor", "--database", "sqlite:/nowhere/at/all.sqlite3").code).to eq 1
    end

    it "sees a lock of another process only where there is one" do
      disk = TaskerCore::CLI.command("doctor") && TaskerCore::CLI::Disk.new(Dir.tmpdir)
      expect([disk.locks, disk.flush_seconds(3)]).to match [:work, a_value_between(0, 5)]
      allow(IO).to receive(:popen).and_return("got it\n")
      expect(disk.locks).to eq :ignored
      expect(TaskerCore::CLI::Disk.new("/nowhere").flush_seconds(3)).to be_nil
    end
  end

  describe "completion" do
    def completed(line)
      words = line.split(" ", -1)
      script = <<~BASH
        #{tasker!("completion", "bash").out}
        COMP_WORDS=(#{words.map { |word| "'#{word}'" }.join(" ")}); COMP_CWORD=#{words.size - 1}
        _tasker; printf '%s\\n' "${COMPREPLY[@]}"
      BASH
      out, err, status = Open3.capture3("bash", stdin_data: script)
      raise err unless status.success? && err.empty?

      out.split
    end

    it "completes commands and options in bash" do
      expect(completed("tasker ")).to match_array([*TaskerCore::CLI.names, "help"])
      expect(completed("tasker pu")).to eq ["purge"]
      expect(completed("tasker list --created-")).to match_array %w[--created-after --created-before]
      expect(completed("tasker help wat")).to eq ["watch"]
      expect(completed("tasker work -r #{Support::ROOT}/Rake")).to eq ["#{Support::ROOT}/Rakefile"]
    end

    it "has scripts for zsh and fish too" do
      expect(tasker!("completion", "zsh").out).to include("compdef _tasker tasker", 'purge) offered="')
      expect(tasker!("completion", "fish").out)
        .to include("-a purge -d 'Deletes tasks", "'__fish_seen_subcommand_from list' -l created-after")
      expect(tasker!("completion", "bash", "--json").records.first["purge"]).to include("--older-than")
      expect(tasker("completion", "zhs")).to have_attributes(code: 2, err: /no script for "zhs", but for bash/)
    end
  end
end
