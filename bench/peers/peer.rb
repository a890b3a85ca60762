# frozen_string_literal: true

require "fileutils"
require "open3"
require "socket"
require "tmpdir"

module Bench
  module Peers
    # Why one can't be measured here.
    class Missing < StandardError; end

    # Another system that is measured beside ours. It is installed below tmp/peers of the checkout, once; what it
    # stores is thrown away.
    class Peer
      HOME = File.expand_path("../../tmp/peers", __dir__)
      # Seconds for a round, or for a server to come up, before the run is given up.
      PATIENCE = 120

      # @param size [Integer] what decides how long a round takes
      def initialize(size)
        @size = size
      end

      # @return [Hash{String => Float}] what one round gave, by what it is a rate of
      def round = raise(NotImplementedError)

      def stop = nil

      private

      def folder = File.join(HOME, self.class.name.split("::").last.downcase)
      def source(name) = File.join(__dir__, self.class.name.split("::").last.downcase, name)

      # Installs what isn't there yet; a folder that was left halfway is made anew.
      def once(mark)
        return if File.exist?(File.join(folder, mark))

        FileUtils.rm_rf(folder)
        FileUtils.mkdir_p(folder)
        yield
      end

      # What a command says, or {Missing} when it fails.
      def output(*command, env: {}, chdir: folder)
        text, status = Open3.capture2e(env, *command, chdir: chdir)
        raise Missing, "#{File.basename(command.first)}: #{text.lines.last.to_s.strip}" unless status.success?

        text
      rescue SystemCallError => e
        raise Missing, e.message
      end

      # A command of the run itself; what it says on its standard output.
      def run(*command, env: {}, chdir: folder)
        text, errors, status = Open3.capture3(env, "timeout", PATIENCE.to_s, *command, chdir: chdir)
        raise "#{command.join(" ")}: #{errors} #{text}" unless status.success?

        text
      end

      def start(*command, env: {}, chdir: folder, log: "server.log")
        Process.spawn(env, *command, chdir: chdir, %i[out err] => [File.join(folder, log), "w"])
      end

      def finish(pid)
        Process.kill(:TERM, pid)
        Process.wait(pid)
      end

      # Waits until the block gives something; what that is.
      def soon(what)
        deadline = Bench.clock + (PATIENCE * 1e9)
        while Bench.clock < deadline
          found = yield
          return found if found

          sleep 0.02
        end
        raise "#{what}: nothing within #{PATIENCE} s"
      end

      def free_port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }

      def listening?(port)
        TCPSocket.new("127.0.0.1", port).close
        true
      rescue SystemCallError
        false
      end

      def same!(what, expected, found)
        raise "#{self.class.name}: #{found} #{what} instead of #{expected}" unless expected == found
      end
    end
  end
end
