# frozen_string_literal: true

require "etc"
require "open3"
require "tempfile"
require_relative "psql"
require_relative "timing"

module Bench
  # Where the figures come from.
  module Machine
    module_function

    def describe
      { cpu: cpu, cores: Etc.nprocessors, system: Etc.uname.values_at(:sysname, :release, :machine).join(" "),
        fsync_ms: fsync, ruby: RUBY_DESCRIPTION, rust: output("rustc", "--version"), postgres: postgres,
        json: JSON::VERSION, tasker_core: TaskerCore::VERSION,
        load: File.readable?("/proc/loadavg") ? File.read("/proc/loadavg").split.first.to_f : nil,
        at: Time.now.utc.strftime("%FT%TZ") }
    end

    def cpu
      return File.read("/proc/cpuinfo")[/^model name\s*:\s*(.+)$/, 1] if File.readable?("/proc/cpuinfo")

      output("sysctl", "-n", "machdep.cpu.brand_string")
    end

    # Milliseconds, the median: how long a page that was added to a file takes to be on the disk, where temporary files
    # are, and so the databases that are measured.
    def fsync
      Tempfile.create("tasker-fsync") do |file|
        times = Array.new(51) do
          started = Bench.clock
          file.write("x" * 8_192)
          file.fsync
          Bench.clock - started
        end
        (Bench.median(times) / 1e6).round(3)
      end
    end

    # The version of the server that bin/bench started, where it did.
    def postgres
      url = ENV.fetch("TASKER_TEST_DATABASE_URL", nil)
      Bench.psql(url, "SHOW server_version") if url
    end

    def output(*command)
      text, status = Open3.capture2(*command)
      text.strip if status.success?
    rescue SystemCallError
      nil
    end

    private_class_method :cpu, :fsync, :postgres, :output
  end
end
