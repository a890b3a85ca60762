# frozen_string_literal: true

RSpec.describe TaskerCore::HandleInfo do
  each_database do
    it "can be read by methods and like a Hash, with Symbols and Strings" do
      info = handle.info
      expect(info).to be_frozen
      expect([info.backend, info[:backend], info["backend"], info.fetch(:backend)]).to all(eq(database.backend))
      expect([info[:nothing], info.key?(:nothing), info.key?("pid")]).to eq([nil, false, true])
      expect { info.fetch(:nothing) }.to raise_error(KeyError)
      expect([info.dig(:pool, :max), info.dig(:expires_at, :year)]).to eq([5, nil])
      expect(info.dig(*%i[pid])).to eq(Process.pid)
      info => { status: "active", pid: pid }
      expect(pid).to eq(Process.pid)
    end

    it "says how the pool stood" do
      handle.tasks.count
      pool = handle.info.pool
      expect(pool).to include(max: 5, size: be_between(1, 5), idle: be_between(0, 5), in_use: be_between(0, 5))
      expect(pool[:idle] + pool[:in_use]).to eq(pool[:size])
      eventually { handle.info[:pool][:in_use].zero? }
    end

    it "is the same object as long as nothing changes, unless the handle is frozen" do
      frozen = open_handle.freeze
      [handle, frozen].each { |one| one.tasks.count }
      eventually { handle.info.pool[:in_use].zero? && frozen.info.pool[:in_use].zero? }
      expect(handle.info).to equal(handle.info)
      expect(frozen.info).to eq(frozen.info)
    end

    it "stays as it was when the handle is closed" do
      before = handle.info
      handle.close
      expect([before.status, before.pool[:max]]).to eq(["active", 5])
      expect([handle.info.status, handle.info.pool]).to eq(["closed", nil])
      expect(before).not_to eq(handle.info)
    end

    it "is what another handle on the database says too, but for the id and the time" do
      info, other = [handle, open_handle].map { |one| one.info.to_h.except(:id, :created_at, :pool) }
      expect(other).to eq(info)
      expect(handle.info.id).to eq(handle.id)
    end

    it "doesn't keep a closed database open" do
      info = handle.info
      handle.close
      if postgres?
        eventually { database.connections.zero? }
      else
        links = Dir["/proc/self/fd/*"].filter_map { |fd| File.readlink(fd) rescue nil } # rubocop:disable Style/RescueModifier
        expect(links.grep(/#{Regexp.escape(database.path)}/)).to eq([])
      end
      expect(info.database).not_to be_empty
    end

    it "never gives a forked child its parent's pid or pool" do
      handle.tasks.count
      info = handle.info
      reader, writer = IO.pipe
      child = fork do
        said = [info.pid, info.pool, handle.info.pid, handle.info.pool, handle.tasks.count, handle.info.pool.class]
        writer.write(JSON.generate(said))
        writer.close
        exit!
      end
      writer.close
      said = JSON.parse(reader.read)
      Process.wait(child)
      expect(said).to eq([child, nil, child, nil, 0, "Hash"])
      expect(info.pid).to eq(Process.pid)
    end

    it "shows itself in one short line without a password" do
      info = open_handle(postgres? ? database.url.sub("//postgres@", "//postgres:hidden@") : database.url).info
      expect(info.inspect).to include(info.id, "active", database.backend)
      expect("#{info.inspect} #{info.to_json}").not_to include("hidden")
    end
  end
end
