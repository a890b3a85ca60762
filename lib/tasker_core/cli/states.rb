# frozen_string_literal: true

module TaskerCore
  module CLI
    # How states look in a terminal.
    #
    # @api private
    module States
      COLOURS = { "complete" => :green, "resolved_manually" => :green, "in_progress" => :blue, "error" => :red,
                  "waiting_for_retry" => :yellow, "paused" => :yellow, "cancelled" => :dim, "skipped" => :dim,
                  "pending" => :dim }.freeze
      private_constant :COLOURS

      module_function

      # @return [String] the state in its colour
      def shown(terminal, status) = terminal.paint(status, COLOURS.fetch(status, :dim))

      # @return [String] a text in a state's colour
      def paint(terminal, text, status) = terminal.paint(text, COLOURS.fetch(status, :dim))
    end
  end
end
