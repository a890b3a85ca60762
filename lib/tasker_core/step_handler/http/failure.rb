# frozen_string_literal: true

module TaskerCore
  class StepHandler
    class Http < StepHandler
      # The errors that a request may end in, with what may be told of them.
      #
      # @api private
      module Failure
        MOST_CHARACTERS = 1_000
        private_constant :MOST_CHARACTERS

        module_function

        # The server's answer is no success.
        def of_status(request, response, settings)
          status = response.status
          message = "#{request} answered #{status}"
          context = { **context_of(request), status: status, body: snippet(request, response) }
          unless settings.retryable?(status)
            return PermanentError.new(message, error_code: "http_#{status}", context: context)
          end

          wait = RetryAfter.seconds(response, settings.retry_after_cap)
          RetryableError.new(message, retry_after: wait, context: context)
        end

        # There is no answer.
        def of_connection(request, error)
          reason = Redaction.text(plain(error.message), request)
          RetryableError.new("#{request} got no answer: #{error.class}: #{reason}"[0, MOST_CHARACTERS],
                             context: { **context_of(request), error: error.class.name })
        end

        # The answer's body is not what it is said to be.
        def unreadable(request, response, error)
          context = { **context_of(request), status: response.status, body: snippet(request, response) }
          message = "#{request} answered #{response.status} with a body that #{error.message}"
          RetryableError.new(message, context: context)
        end

        def context_of(request)
          { method: request.method, url: Redaction.url(request.url) }
        end

        def snippet(request, response)
          Redaction.text(plain(response.body.byteslice(0, 4 * MOST_CHARACTERS)), request)[0, MOST_CHARACTERS]
        end

        # What is no UTF-8 of it is shown as such, and NUL, which databases refuse in text, too.
        def plain(text)
          text.dup.force_encoding(Encoding::UTF_8).scrub("\uFFFD").tr("\0", "\uFFFD")
        end

        private_class_method :context_of, :snippet, :plain
      end
    end
  end
end
