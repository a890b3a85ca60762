# frozen_string_literal: true

require "tasker_core/testing"

RSpec.describe "Factories over several handles" do
  testing = TaskerCore::Testing

  each_database do
    after { testing.cleanup }

    it "work on the handle that they are given" do
      other = open_handle
      mine = testing.create_workflow(handle, pattern: :linear, steps: 2)
      theirs = testing.create_workflow(other, pattern: :linear, steps: 2)
      expect([mine.handle, theirs.handle]).to eq([handle, other])
      expect(testing.run_workflow(mine)).to be_complete
      expect(theirs.task.reload).to be_pending
      expect(testing.run_workflow(theirs)).to be_complete
      expect(handle.tasks.count).to eq(2)
    end

    it "take back what was made on one handle, or on all" do
      other = open_handle
      [handle, other].each { |one| testing.create_task(one) }
      testing.cleanup(other)
      expect(handle.tasks.count).to eq(1)
      testing.create_task(other)
      testing.cleanup
      expect(handle.tasks.count).to eq(0)
    end

    it "move one clock for all handles on a database, each its own way back" do
      other = open_handle
      start = testing.now(handle)
      expect(testing.advance_time(handle, 1000)).to be_between(start + 1000, start + 1060)
      expect(testing.now(other)).to be >= start + 1000
      testing.advance_time(other, 100)
      testing.cleanup(handle)
      expect(testing.now(other)).to be_between(start + 100, start + 160)
      testing.cleanup(other)
      expect(testing.now(handle)).to be_between(start, start + 60)
    end

    it "go on with a refreshed handle, whose workers know the templates" do
      flow = testing.create_workflow(handle, pattern: :diamond)
      fresh = handle.refresh
      handles << fresh
      handle.close
      expect(testing.run_workflow(fresh, flow.task)).to be_complete
      testing.cleanup
      expect(fresh.tasks.count).to eq(0)
    end

    it "refuse a handle that has expired, and clean up after it all the same" do
      short = open_handle(ttl: 0.5)
      flow = testing.create_workflow(short, pattern: :linear)
      eventually { short.expired? }
      expect { testing.create_task(short) }.to raise_error(TaskerCore::HandleExpiredError)
      expect { testing.run_workflow(flow) }.to raise_error(TaskerCore::HandleExpiredError)
      expect { testing.advance_time(short, 1) }.to raise_error(TaskerCore::HandleExpiredError)
      expect(handle.tasks.count).to eq(1)
      testing.cleanup
      expect(handle.tasks.count).to eq(0)
    end

    it "clean up after a handle that was closed" do
      closing = open_handle
      testing.create_task(closing)
      closing.close
      testing.cleanup
      expect(handle.tasks.count).to eq(0)
    end

    it "leave no connection behind" do
      closing = open_handle
      testing.run_workflow(testing.create_workflow(closing, pattern: :parallel))
      closing.close
      testing.cleanup
      postgres? ? eventually { database.connections.zero? } : File.delete(database.path)
      expect { testing.cleanup }.not_to raise_error
    end

    it "run the same workflow through two handles at once" do
      first = testing.create_workflow(handle, pattern: :dense, steps: 16)
      other = open_handle
      other.register(first.template)
      runs = [handle, other].map { |one| Thread.new { testing.run_workflow(one, first.task, timeout: 20) } }
      expect(runs.map(&:value)).to all(be_complete)
      expect(first.task.steps.map(&:attempts).uniq).to eq([1])
    end
  end

  on_postgres do
    # What a dropped one is to whoever opens it, without the checkpoint that dropping costs.
    def renamed(name)
      eventually { database.connections.zero? }
      Support::PostgresServer.query("ALTER DATABASE #{name} RENAME TO #{name}_gone")
      yield
    ensure
      Support::PostgresServer.query("ALTER DATABASE #{name}_gone RENAME TO #{name}")
    end

    it "forget a database that is gone" do
      testing.create_task(handle)
      handle.close
      renamed(database.url[%r{[^/]+\z}]) { expect { testing.cleanup }.not_to raise_error }
      expect { testing.cleanup }.not_to raise_error
      expect(open_handle.tasks.count).to eq(1)
    end
  end

  on_sqlite do
    it "forget a database whose file is gone" do
      testing.create_task(handle)
      handle.close
      FileUtils.rm_f(Dir["#{database.path}*"])
      testing.cleanup
      expect(File).not_to exist(database.path)
    end

    it "keep databases in memory apart" do
      one, two = Array.new(2) { open_handle("sqlite::memory:") }
      testing.create_task(one)
      testing.advance_time(one, 3600)
      expect(two.tasks.count).to eq(0)
      expect(testing.now(one) - testing.now(two)).to be > 3500
      one.close
      expect { testing.cleanup }.not_to raise_error
    end
  end
end
