# frozen_string_literal: true

require "English"
require "json"

module Bench
  module Work
    # A worker in another process; see worker.rb for what can be asked of it.
    class Elsewhere
      PROGRAM = File.join(__dir__, "worker.rb")

      # @param url [String] the database
      # @param kind [String] what its handlers do: `nothing`, `burn`, `sleep` or `clock`
      # @param options [Array<String>] `arenas`: with as few heaps of malloc as `tasker work` has
      def initialize(url, kind, *options)
        @io = IO.popen(["ruby", "-I#{File.expand_path("../../lib", __dir__)}", PROGRAM, url, kind, *options], "r+")
        answer
      end

      def start(threads: 5) = ask("start #{threads}")
      def look = ask("look")

      # Only asks; `answer` waits until nothing is left to do.
      def work(threads: 5) = @io.puts("work #{threads}")

      def answer
        line = @io.gets or raise "a worker process ended"
        JSON.parse(line, symbolize_names: true)
      end

      # Ends it.
      def close
        @io.close
        raise "a worker process failed: #{$CHILD_STATUS}" unless $CHILD_STATUS.success?
      end

      private

      def ask(line)
        @io.puts(line)
        answer
      end
    end
  end
end
