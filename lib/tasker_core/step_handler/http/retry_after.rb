# frozen_string_literal: true

require "time"

module TaskerCore
  class StepHandler
    class Http < StepHandler
      # How long a server asks to wait: a number of seconds, or a date in one of the three forms of RFC 9110.
      #
      # @api private
      module RetryAfter
        module_function

        # @return [Numeric, nil] seconds, at most `cap`; nil where nothing sensible is asked for
        def seconds(response, cap)
          asked = response.header("retry-after").to_s.strip
          wait = asked.match?(/\A\d+\z/) ? asked.to_i : until_date(asked, response)
          wait&.clamp(0, cap)
        end

        # The server's own clock counts, where it tells what it shows.
        def until_date(asked, response)
          date = http_date(asked) or return
          date - (http_date(response.header("date").to_s) || Time.now)
        end

        def http_date(text)
          Time.httpdate(text)
        rescue ArgumentError
          nil
        end

        private_class_method :until_date, :http_date
      end
    end
  end
end
