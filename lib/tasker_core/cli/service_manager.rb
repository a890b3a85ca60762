# frozen_string_literal: true

require "socket"

module TaskerCore
  module CLI
    # Tells systemd how this process stands, where that started it (`Type=notify`), in datagrams to NOTIFY_SOCKET.
    #
    # @api private
    class ServiceManager
      # @param env [Hash{String => String}]
      def initialize(env = ENV)
        path = env["NOTIFY_SOCKET"].to_s
        # A name that begins with @ is none of the file system's.
        @address = Socket.sockaddr_un(path.sub(/\A@/, "\0")) unless path.empty?
        @every = half_of_watchdog(env) if @address
        @told_at = 0.0
      end

      # @param states [Array<String>] such as `READY=1`
      def tell(*states)
        return unless @address

        Socket.open(:UNIX, :DGRAM) { |socket| socket.send(states.join("\n"), 0, @address) }
      rescue SystemCallError
        # It is gone, or too busy to listen; that must not keep anybody from working.
        nil
      end

      # Says that this process still runs, where it is time to say so.
      def keep_watch
        now = Waiting.monotonic
        return if @every.nil? || now - @told_at < @every

        @told_at = now
        tell("WATCHDOG=1")
      end

      # @return [Float, nil] how often the watchdog is to be told, in seconds; nil where there is none
      attr_reader :every

      private

      # One that is another process's is left to that.
      def half_of_watchdog(env)
        microseconds = env["WATCHDOG_USEC"].to_i
        mine = env["WATCHDOG_PID"].to_s.empty? || env["WATCHDOG_PID"].to_i == Process.pid
        microseconds / 2e6 if microseconds.positive? && mine
      end
    end
  end
end
