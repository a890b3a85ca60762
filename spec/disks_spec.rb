# frozen_string_literal: true

RSpec.describe "A disk" do
  on_sqlite do
    flow = { name: "flow", steps: [{ name: "a" }, { name: "b", depends_on: "a" }] }

    let(:troubles) { Support::Journal.new }

    after do
      handles.each(&:close)
      remove_disks
    end

    def file_in(folder) = File.join(folder, "tasker.sqlite3")

    # A handle with a worker, whose first steps stand at the gate.
    def at_work(folder, flow, gate)
      handle = open_handle("sqlite://#{file_in(folder)}")
      handle.register(flow, handlers: { a: ->(ctx) { gate.wait && ctx.context["text"] },
                                        b: ->(ctx) { ctx.result(:a).size } })
      handle.worker(threads: 2, on_error: ->(error, _) { troubles << error }).start
      handle
    end

    def create(handle, key) = handle.create_task("flow", key: key, context: { text: "x" * 20_000 })

    # Creates tasks until the disk is full.
    def create_all(handle, created)
      loop { created << create(handle, "k#{created.size}") }
    rescue TaskerCore::DatabaseError => e
      e
    end

    # Every task has its steps, and nothing is damaged.
    def expect_whole(folder, tasks)
      handles.each(&:close)
      output, = Open3.capture2e("sqlite3", file_in(folder), stdin_data: <<~SQL)
        PRAGMA integrity_check;
        SELECT count(*) FROM tasker_tasks;
        SELECT count(*) FROM tasker_workflow_steps WHERE state = 'complete';
      SQL
      expect(output.split).to eq(["ok", tasks.to_s, (tasks * 2).to_s])
    end

    it "that is full refuses clearly, stores no half, and is gone on with as soon as there is room" do
      gate = self.gate
      folder = small_disk(3)
      handle = at_work(folder, flow, gate)
      created = [create(handle, "first")]
      eventually { gate.waiting == 1 }
      error = create_all(handle, created)
      expect([error.class, error.code]).to eq([TaskerCore::DatabaseError, "13"])
      expect(error.message).to include("full", "nothing of this transaction was stored")
      expect(created.size).to be > 10
      expect(handle.tasks.map(&:id)).to match_array(created.map(&:id))
      ballast = fill(folder)
      gate.open
      # Results wait for room.
      eventually { troubles.to_a.any? { |trouble| trouble.message.include?("full") } }
      expect(handle.tasks.count).to eq(created.size)
      grow(folder, 64)
      File.delete(ballast)
      expect(created.map { |task| task.wait(timeout: 20).step(:b).result }.uniq).to eq([20_000])
      expect(created.flat_map(&:steps).map(&:attempts).uniq).to eq([1])
      expect_whole(folder, created.size)
    end

    def grow(folder, megabytes)
      system("mount", "-o", "remount,size=#{megabytes}m", folder, exception: true)
    end

    it "that may not be written to for a while refuses clearly, stores no half, and is gone on with" do
      gate = self.gate
      folder = lockable_folder
      handle = at_work(folder, flow, gate)
      task = create(handle, "first")
      eventually { gate.waiting == 1 }
      immutable(file_in(folder), "#{file_in(folder)}-wal") do
        error = error_of { create(handle, "second") }
        expect([error.class, error.code]).to eq([TaskerCore::DatabaseError, "778"])
        expect(error.message).to include("refused to write", "nothing of this transaction was stored")
        expect(handle.tasks.map(&:id)).to eq([task.id])
        gate.open
        eventually { troubles.size.positive? }
      end
      expect(task.wait(timeout: 20).step(:b).result).to eq(20_000)
      create(handle, "second").wait(timeout: 20)
      expect_whole(folder, 2)
    end

    it "that may not be written to at all is told of when the database is opened" do
      folder = lockable_folder
      TaskerCore.open("sqlite://#{file_in(folder)}").close
      immutable(file_in(folder)) do
        error = error_of { open_handle("sqlite://#{file_in(folder)}") }
        expect(error.class).to eq(TaskerCore::ConfigurationError)
        expect(error.message).to include("read-only", file_in(folder))
      end
      expect(open_handle("sqlite://#{file_in(folder)}").tasks.count).to eq(0)
    end
  end
end
