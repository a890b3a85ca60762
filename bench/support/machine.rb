# frozen_string_literal: true

require "etc"
require "open3"

module Bench
  # Where the figures come from.
  module Machine
    module_function

    def describe
      { cpu: cpu, cores: Etc.nprocessors, system: Etc.uname.values_at(:sysname, :release, :machine).join(" "),
        ruby: RUBY_DESCRIPTION, rust: output("rustc", "--version"), json: JSON::VERSION,
        load: File.readable?("/proc/loadavg") ? File.read("/proc/loadavg").split.first.to_f : nil,
        at: Time.now.utc.strftime("%FT%TZ") }
    end

    def cpu
      return File.read("/proc/cpuinfo")[/^model name\s*:\s*(.+)$/, 1] if File.readable?("/proc/cpuinfo")

      output("sysctl", "-n", "machdep.cpu.brand_string")
    end

    def output(*command)
      text, status = Open3.capture2(*command)
      text.strip if status.success?
    rescue SystemCallError
      nil
    end

    private_class_method :cpu, :output
  end
end
