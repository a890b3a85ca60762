# frozen_string_literal: true

require "io/console"

module TaskerCore
  module CLI
    # Says how far something is: on a terminal a bar that is drawn over itself, elsewhere a line now and then.
    #
    # @api private
    class Progress
      WIDTH = 28
      # Seconds between lines where there is no terminal.
      QUIET = 5.0
      private_constant :WIDTH, :QUIET

      # A bar.
      def self.bar(part)
        full = (part.clamp(0.0, 1.0) * WIDTH).floor
        "[#{"#" * full}#{"-" * (WIDTH - full)}]"
      end

      # @param terminal [Terminal]
      # @param stream [IO] where it is said
      def initialize(terminal, stream = terminal.err)
        @terminal = terminal
        @stream = stream
        @lines = 0
        @said = Waiting.monotonic
      end

      # @param lines [Array<String>] what is drawn over what was drawn before
      # @param plain [String] the line that says it where there is no terminal
      # @param now [Boolean] whether to say it there even if little time has passed
      def show(lines, plain, now: false)
        return say(plain, now) unless @terminal.person?(@stream)

        wipe
        @stream.print(lines.map { |line| "#{cut(line)}\n" }.join)
        @stream.flush
        @lines = lines.size
      end

      # Takes the bar away.
      def wipe
        @stream.print("\e[#{@lines}A\e[J") if @lines.positive?
        @lines = 0
      end

      private

      def say(line, now)
        return if line == @last || (!now && Waiting.monotonic - @said < QUIET)

        @last = line
        @said = Waiting.monotonic
        @stream.puts(line)
        @stream.flush
      end

      # A line that wraps can't be drawn over. Colours take no room.
      def cut(line)
        room = [@terminal.width - 1, 20].max
        plain = line.gsub(/\e\[\d+m/, "")
        plain.length > room ? "#{plain[0, room - 1]}…" : line
      end
    end
  end
end
