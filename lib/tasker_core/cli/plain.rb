# frozen_string_literal: true

module TaskerCore
  module CLI
    # Text that others wrote (keys, reasons, messages of errors), for a terminal: no control character of it gets there,
    # which could move the cursor, colour what follows, or worse.
    #
    # @api private
    module Plain
      # @param value [String, nil]
      # @return [String, nil]
      def self.text(value) = value&.gsub(/[[:cntrl:]]+/, " ")

      # @param error [Hash{String => Object}] a step's or a task's
      # @return [String] `ClassName: message`
      def self.error(error) = text("#{error["class"]}: #{error["message"]}")
    end
  end
end
