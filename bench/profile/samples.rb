# frozen_string_literal: true

require "open3"
require "tmpdir"

module Bench
  module Profile
    # Where this process's processor time goes: samples of Linux' perf, each a stack of [function, binary], the
    # innermost first.
    class Samples
      RATE = 249
      FRAME = /\A\s+\h+ (.+) \((.+)\)\s*\z/
      EXTENSION = "tasker_core_ruby.so"

      # Whether perf is there and may look.
      def self.possible?
        system("perf", "record", "-e", "cpu-clock", "-o", File::NULL, "true", out: File::NULL, err: File::NULL)
      end

      # Those of the time that the block takes.
      def self.taken(&)
        Dir.mktmpdir("tasker-profile") do |folder|
          data = File.join(folder, "perf.data")
          record(data, &)
          text, = Open3.capture2("perf", "script", "-i", data, "--no-inline", "-F", "comm,ip,sym,dso", err: File::NULL)
          new(text.split("\n\n").map { |sample| stack(sample) }.reject(&:empty?))
        end
      end

      def self.record(data)
        options = %W[-F #{RATE} -e cpu-clock --call-graph dwarf,16384 -p #{Process.pid} -o #{data}]
        recorder = Process.spawn("perf", "record", *options, out: File::NULL, err: File::NULL)
        deadline = Bench.clock + (10 * 1e9)
        sleep 0.05 until File.size?(data) || Bench.clock > deadline
        yield
      ensure
        Process.kill(:INT, recorder)
        Process.wait(recorder)
      end

      def self.stack(sample)
        sample.lines.filter_map { |line| line.match(FRAME)&.captures }
      end
      private_class_method :record, :stack

      def initialize(stacks)
        raise "perf took no samples" if stacks.empty?

        @stacks = stacks
      end

      def size = @stacks.size

      # @return [Hash{Symbol => Integer}] how many samples are whose. The C library counts for whoever called it.
      def owners = @stacks.map { |stack| owner(stack) }.tally

      # @return [Hash{String => Integer}] of those that are ours or Rust's, how many are whose function's: the innermost
      #   of ours counts for what it calls of libraries.
      def functions
        ours = @stacks.select { |stack| %i[ours libraries].include?(owner(stack)) }
        ours.map { |stack| own_function(stack) }.tally
      end

      private

      def owner(stack)
        return :kernel if stack.first.last == "[kernel.kallsyms]"

        stack.each do |function, binary|
          return :ruby if binary.include?("libruby")
          next unless binary.end_with?(EXTENSION)
          # The one library in C that is linked in.
          return :sqlite unless function.include?("::")

          return function.include?("tasker_core") ? :ours : :libraries
        end
        :other
      end

      def own_function(stack)
        function, = stack.find { |name, binary| binary.end_with?(EXTENSION) && name.include?("tasker_core") }
        function ? function.gsub(/::\{\{closure\}\}|::h\h{16}/, "") : "(threads and timers of the runtime)"
      end
    end
  end
end
