# frozen_string_literal: true

require "io/console"
require "json"

module TaskerCore
  module CLI
    # Where a command speaks: to people on a terminal with colours and tables, otherwise plainly. `NO_COLOR` (with any
    # value) and `TERM=dumb` leave the colours out.
    class Terminal
      CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 }.freeze
      # What stands between columns.
      GAP = "  "
      # How wide a page is that nobody reads on a terminal.
      PLAIN_WIDTH = 80
      private_constant :CODES, :GAP, :PLAIN_WIDTH

      # @return [IO] where what was asked for goes
      attr_reader :out
      # @return [IO] where what went wrong goes
      attr_reader :err
      # @return [IO] what people answer
      attr_reader :in

      # @param out [IO]
      # @param err [IO]
      # @param input [IO]
      def initialize(out, err, input)
        @out = out
        @err = err
        @in = input
      end

      # @param text [String] one line or several
      # @return [void]
      def say(text = "")
        out.puts(text)
      end

      # @param value [Object] anything that JSON can say; one line, for another program
      # @return [void]
      def json(value)
        out.puts(JSON.generate(value))
      end

      # @param message [String] what went wrong
      # @return [void]
      def complain(message)
        err.puts("#{paint("tasker:", :red, err)} #{message}")
      end

      # @param text [String] more about what went wrong
      # @return [void]
      def hint(text)
        err.puts(text)
      end

      # @param stream [IO]
      # @return [Boolean] whether a person sees it
      def person?(stream = out)
        stream.respond_to?(:tty?) && stream.tty?
      end

      # @param stream [IO]
      # @return [Boolean] whether it has colours
      def color?(stream = out)
        person?(stream) && ENV.fetch("NO_COLOR", "").empty? && ENV["TERM"] != "dumb"
      end

      # @param text [String]
      # @param style [Symbol] `:bold`, `:dim`, `:red`, `:green`, `:yellow`, `:blue` or `:cyan`
      # @param stream [IO] where it will be shown
      # @return [String] the text, in that colour where there are colours
      def paint(text, style, stream = out)
        color?(stream) ? "\e[#{CODES.fetch(style)}m#{text}\e[0m" : text
      end

      # @return [Integer] columns of the terminal; 80 where there is none
      def width
        columns = person? && out.respond_to?(:winsize) ? out.winsize.last : PLAIN_WIDTH
        columns.positive? ? columns : PLAIN_WIDTH
      rescue SystemCallError
        PLAIN_WIDTH
      end

      # Shows rows one below the other. Colours may stand in cells already: they take no room.
      #
      # @param rows [Array<Array>] cells, nil for an empty one
      # @param head [Array<String>, nil] a line above them
      # @param right [Array<Integer>] the columns whose cells stand at the right
      # @return [void]
      # @example
      #   require "tasker_core/cli"
      #
      #   terminal = TaskerCore::CLI::Terminal.new($stdout, $stderr, $stdin)
      #   terminal.table([["order", 3], ["refund", 12]], head: %w[NAME TASKS], right: [1])
      def table(rows, head: nil, right: [])
        lines = rows.map { |row| row.map(&:to_s) }
        lines.unshift(head.map { |title| paint(title, :dim) }) if head
        return if lines.empty?

        widths = lines.transpose.map { |column| column.map { |cell| length(cell) }.max }
        lines.each { |line| say(aligned(line, widths, right)) }
      end

      private

      def aligned(line, widths, right)
        cells = line.each_with_index.map do |cell, at|
          room = " " * (widths[at] - length(cell))
          right.include?(at) ? room + cell : cell + room
        end
        cells.join(GAP).rstrip
      end

      def length(cell) = cell.gsub(/\e\[\d+m/, "").length
    end
  end
end
