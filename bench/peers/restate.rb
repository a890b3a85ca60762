# frozen_string_literal: true

require "json"
require_relative "peer"

module Bench
  module Peers
    # Restate's server and its SDK for Node, both from npm: one process that serves the handler, one that asks for
    # diamonds, 64 at a time, through sockets of the file system.
    class Restate < Peer
      STEPS = "Restate, steps"
      QUIET = { "RESTATE_DISABLE_TELEMETRY" => "1", "DO_NOT_TRACK" => "1", "RUST_LOG" => "warn",
                "RESTATE_LOGGING" => "WARN" }.freeze

      def initialize(size)
        super
        install
        @data = Dir.mktmpdir("tasker-bench-restate")
        @started = []
        start_server
        start_service
      end

      def title
        node = output("node", "--version").strip
        "Restate #{output(server, "--version")[/[\d.]+/]}, SDK #{sdk_version}, Node #{node}"
      end

      def round
        before = ask["stored"]
        said = ask(@size)
        same!("calls of steps", @size * 4, said.fetch("calls"))
        same!("invocations ended well", @size, said.fetch("stored") - before)
        { STEPS => @size * 4 / said.fetch("seconds") }
      end

      def stop
        @started.reverse_each { |pid| finish(pid) }
        FileUtils.rm_rf(@data)
      end

      private

      # Its packages run no scripts of theirs. What is run with them is copied beside them, where Node looks for them.
      def install
        once("installed") do
          File.write(File.join(folder, "package.json"), '{ "private": true }')
          output("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent",
                 "@restatedev/restate-server", "@restatedev/restate-sdk")
          FileUtils.touch(File.join(folder, "installed"))
        end
        %w[service.mjs load.mjs].each { |name| FileUtils.cp(source(name), folder) }
        output(server, "--version")
      end

      def server = File.join(folder, "node_modules/.bin/restate-server")

      def sdk_version
        JSON.parse(File.read(File.join(folder, "node_modules/@restatedev/restate-sdk/package.json")))["version"]
      end

      def start_server
        @started << start(server, "--no-logo", "--base-dir", @data, "--node-name", "bench", "--listen-mode", "unix",
                          env: QUIET)
        soon("Restate") { socket("ingress") && socket("admin") }
      end

      def socket(name) = Dir[File.join(@data, "**", "#{name}.sock")].first

      def start_service
        @port = free_port
        @started << start("node", "service.mjs", @port.to_s, env: QUIET, log: "service.log")
        soon("Restate's service") { listening?(@port) }
      end

      # Asks for so many diamonds; how long they took, and what was called and is stored since.
      def ask(count = 0)
        JSON.parse(run("node", "load.mjs", socket("ingress"), socket("admin"), @port.to_s, count.to_s))
      end
    end
  end
end
