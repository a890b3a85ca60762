# frozen_string_literal: true

module TaskerCore
  module Checks
    # Something to mend (`error`), or to look at (`warning`).
    #
    # @api private
    Problem = Struct.new(:level, :subject, :message, :place, keyword_init: true) do
      # @return [Boolean]
      def error? = level == "error"

      # @return [String] for people
      def to_s = "#{subject}: #{message}#{" (#{place})" if place}"
    end
  end
end
