# frozen_string_literal: true

require "rbconfig"
require_relative "workflows"

module Chaos
  # The worker processes. One that ends is started again at once.
  class Fleet
    PROGRAM = File.expand_path("worker.rb", __dir__)
    LIBRARY = File.expand_path("../lib", __dir__)
    # Seconds for which a worker's claims hold without renewal.
    LEASE = 1
    LAST_WORDS = 30

    # One place in the fleet, with one process after another.
    class Place
      # How its processes ended: `killed`, `exited` (a handler did it), or what else was the matter.
      attr_reader :ends

      def initialize(command, log)
        @command = command
        @log = log
        @ends = []
        @lock = Mutex.new
        @over = false
        @pid = nil
        @stopped = false
        @thread = Thread.new { keep_up }
      end

      # @return [Integer, nil] the process that got the signal
      def signal(name, pid = @pid)
        @lock.synchronize { Process.kill(name, pid) && pid if pid && pid == @pid }
      rescue Errno::ESRCH
        nil
      end

      # @return [Boolean] whether its process stands still
      def stopped? = @stopped

      # @return [Integer, nil] the process that stood still for so long
      def stop(seconds)
        pid = signal("STOP") unless @stopped
        return unless pid

        begin
          @stopped = true
          sleep(seconds)
        ensure
          @stopped = false
          signal("CONT", pid)
        end
      end

      # Lets its process end in its own time.
      def dismiss
        @lock.synchronize do
          @over = true
          @input&.close
        end
        return if @thread.join(LAST_WORDS)

        @ends << "did not end within #{LAST_WORDS} s of being asked to"
        signal("KILL")
        @thread.join
      end

      private

      def keep_up
        while start
          _, status = Process.wait2(@pid)
          @lock.synchronize do
            @pid = nil
            @input.close unless @input.closed?
            @ends << describe(status)
          end
        end
      end

      def start
        @lock.synchronize do
          next if @over

          read, @input = IO.pipe
          env = { "CHAOS_LEASE" => LEASE.to_s }
          @pid = Process.spawn(env, *@command, in: read, %i[out err] => [@log, "a"])
          read.close
          @pid
        end
      end

      def describe(status)
        return "killed" if status.termsig == 9
        return "exited" if status.exitstatus == Workflows::EXIT
        return "dismissed" if status.success? && @over

        "ended by itself: #{status}; #{@log} may say why"
      end
    end

    def initialize(url, folder, size)
      @places = Array.new(size) do |n|
        Place.new([RbConfig.ruby, "-I#{LIBRARY}", PROGRAM, url, "#{folder}/journal"], "#{folder}/worker#{n}.log")
      end
    end

    # Kills a worker, or the next one that is there and does not stand still: that one is to wake, and find that it is
    # late.
    #
    # @return [Place, nil] where that was
    def kill(number)
      @places.rotate(number % @places.size).find { |place| !place.stopped? && place.signal("KILL") }
    end

    # Lets a worker stand still.
    #
    # @return [Integer, nil] its process, nil where there is none
    def stop(number, seconds)
      @places[number % @places.size].stop(seconds)
    end

    def dismiss = @places.map { |place| Thread.new { place.dismiss } }.each(&:join)

    def ends = @places.flat_map(&:ends).tally
  end
end
