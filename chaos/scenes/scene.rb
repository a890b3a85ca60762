# frozen_string_literal: true

require "fileutils"
require "json"
require "rbconfig"
require_relative "../patience"
require_relative "round"
require_relative "told"

module Chaos
  module Scenes
    # A fault point in a process of its own: a delay, an error, a panic and the end of the process happen there, one
    # after the other. Then everybody who is left is well, and ends what was begun.
    class Scene
      # How often each of them happens. A delay takes its time.
      ACTIONS = { "delay" => 1, "error" => 3, "panic" => 3, "abort" => 1 }.freeze
      PROGRAM = File.expand_path("armed.rb", __dir__)
      LIBRARY = File.expand_path("../../lib", __dir__)
      # How long a process may take over a round, and to end, in seconds.
      PATIENCE = 90

      attr_reader :name, :folder, :faults, :complaints

      # @param name [String] of the point, and of the scene: it is the queue of its tasks
      # @param faults [Array<Hash>] see {Round}; the last ends the process
      def initialize(url, folder, name, faults)
        @url = url
        @name = name
        @folder = "#{folder}/#{name}"
        @faults = faults
        @complaints = []
        FileUtils.mkdir_p(@folder)
      end

      # @yieldparam fault [Hash] the next one
      def run
        began = Patience.now
        start
        @faults.each do |fault|
          yield fault if block_given?
          play(fault)
        end
        @seconds = Patience.now - began
      ensure
        stop
      end

      # @return [Hash] what the process says of the first round
      def ask_once
        start
        @process.puts(JSON.generate(@faults.first))
        answered
      ensure
        stop
        forget
      end

      # @return [Array<Hash>] the tasks that were asked for
      def wishes
        whole = Dir["#{@folder}/asked.jsonl"].flat_map { |path| File.readlines(path) }
        whole.select { |line| line.end_with?("\n") }.map { |line| JSON.parse(line) }
      end

      # Leaves nothing of what was done so far.
      def forget
        Dir["#{@folder}/{asked,told-*,journal/*}.jsonl"].each { |path| File.truncate(path, 0) }
      end

      # @return [String] what happened, in a line
      def to_s
        happened = @faults.map { |fault| "#{fault["action"]} after #{fault["passing"].join("+")}" }.join(", ")
        format("%<name>-22s %<happened>-70s (%<seconds>.1f s)", name: @name, happened: happened, seconds: @seconds)
      end

      private

      def start
        command = [RbConfig.ruby, "-I#{LIBRARY}", PROGRAM, @url, @folder, @name]
        @process = IO.popen(command, "r+", err: ["#{@folder}/log", "a"])
      end

      def stop
        return unless @process

        Process.kill("KILL", @process.pid) unless @ended
        @process.close
      end

      def play(fault)
        @process.puts(JSON.generate(fault))
        answer = answered
        return died(fault) unless answer
        return complain(fault, "did not happen within #{Round::PATIENCE} s") unless answer["happened"]

        complain(fault, "ended a subscription") unless answer["listens"]
        complain(fault, "did not end the process") if fault.equal?(@faults.last)
      rescue Errno::EPIPE
        died(fault)
      end

      # The process's answer; nil when it is gone.
      def answered
        raise "nothing was said for #{PATIENCE} s" unless @process.wait_readable(PATIENCE)

        line = @process.gets
        line && JSON.parse(line)
      rescue RuntimeError => e
        @complaints << e.message
        Process.kill("KILL", @process.pid)
        nil
      end

      def died(fault)
        _, status = Process.wait2(@process.pid)
        @ended = true
        return if fault.equal?(@faults.last) && status.termsig == 9

        complain(fault, "ended the process: #{status}; #{@folder}/log may say why")
      ensure
        start_again unless fault.equal?(@faults.last)
      end

      def start_again
        @process.close
        @ended = false
        start
      end

      def complain(fault, what)
        @complaints << "#{fault["action"]} at #{@name} (after #{fault["passing"].join("+")}) #{what}"
      end
    end
  end
end
