# frozen_string_literal: true

module TaskerCore
  module CLI
    # Moments and spans as people say them to a command, and as it says them to people.
    #
    # @api private
    module Moments
      UNITS = { "s" => 1, "m" => 60, "h" => 3_600, "d" => 86_400, "w" => 604_800 }.freeze
      SPAN = /\A(\d+(?:\.\d+)?)([smhdw])\z/
      private_constant :UNITS, :SPAN

      module_function

      # @param text [String] `90d`, `12h`, `30m`: that long ago; or a moment, as RFC 3339 has it, or a date
      # @param option [String] where it was said
      # @return [Time]
      # @raise [UsageError] when it is neither
      def past(text, option)
        span = SPAN.match(text)
        return Time.now - seconds(span) if span

        require "time"
        text.match?(/\A\d{4}-\d\d-\d\d\z/) ? Time.parse("#{text} 00:00:00 UTC") : Time.iso8601(text)
      rescue ArgumentError
        raise UsageError.new("#{option}: #{text.inspect} is no moment: expected 90d, 12h or 30m (that long ago), or " \
                             "2026-01-31 or 2026-01-31T12:00:00Z", hint: nil)
      end

      # @param text [String] `90s`, `30m`, `2h`, or seconds
      # @param option [String] where it was said
      # @return [Float] seconds
      # @raise [UsageError] when it is none
      def span(text, option)
        span = SPAN.match(text.match?(/\A\d+(\.\d+)?\z/) ? "#{text}s" : text)
        return seconds(span).to_f if span

        raise UsageError.new("#{option}: #{text.inspect} is no span: expected 90s, 30m, 2h or seconds", hint: nil)
      end

      # @param seconds [Numeric, nil]
      # @return [String] such as `1.2 s`, `3 m 4 s`, `5 h 6 m`, `7 d 8 h`; `-` for nil
      def shown(seconds)
        return "-" if seconds.nil?
        return "#{milliseconds([seconds, 0].max * 1_000)} ms" if seconds < 1
        return format("%.1f s", seconds) if seconds < 60

        whole = seconds.round
        large, small, units = [[86_400, 3_600, "dh"], [3_600, 60, "hm"], [60, 1, "ms"]]
                              .find { |unit, _| whole >= unit } || [60, 1, "ms"]
        "#{whole / large} #{units[0]} #{whole % large / small} #{units[1]}"
      end

      # @param time [Time, nil]
      # @return [String] in UTC, to the second; `-` for nil
      def time(time) = time ? time.utc.strftime("%F %T") : "-"

      # @param time [Time, nil]
      # @return [String] such as `3 m 4 s ago`
      def ago(time) = time ? "#{shown([Time.now - time, 0].max)} ago" : "-"

      def seconds(span) = span[1].to_f * UNITS.fetch(span[2])
      def milliseconds(number) = number < 1 ? number.round(2) : number.round
      private_class_method :seconds, :milliseconds
    end
  end
end
