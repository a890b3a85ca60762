# frozen_string_literal: true

module TaskerCore
  class StepHandler
    class Http < StepHandler
      # Keeps secrets out of what is recorded and logged.
      #
      # @api private
      module Redaction
        HIDDEN = "[hidden]"
        SECRET_NAME = /auth|cookie|token|secret|password|session|signature|api-?key/i
        # Shorter ones are words that may stand in any text.
        SHORTEST_SECRET = 6
        private_constant :HIDDEN, :SECRET_NAME, :SHORTEST_SECRET

        module_function

        # A URL without user, password and fragment, and without the values of its query.
        def url(uri)
          port = ":#{uri.port}" unless uri.port == uri.default_port
          query = "?#{names_of(uri.query)}" if uri.query
          "#{uri.scheme}://#{uri.host}#{port}#{uri.path}#{query}"
        end

        # The headers that carry no secret.
        def headers(all)
          all.reject { |name, _| secret_name?(name) }
        end

        # Text from outside without what the request told in confidence.
        def text(text, request)
          secrets(request).reduce(text) { |shown, secret| shown.gsub(secret, HIDDEN) }
        end

        def names_of(query)
          query.split("&").map { |pair| "#{pair[/\A[^=]*=/]}…" }.join("&")
        end

        def secret_name?(name)
          name.match?(SECRET_NAME) || Filter.current.hides?(name)
        end

        # The longest first: one may be a part of another.
        def secrets(request)
          told = request.headers.flat_map { |name, value| secret_name?(name) ? [value, *value.split] : [] }
          told.concat(request.url.query.to_s.split(/[&=]/).select.with_index { |_, index| index.odd? })
          told.select { |secret| secret.size >= SHORTEST_SECRET }.uniq.sort_by { |secret| -secret.size }
        end

        private_class_method :names_of, :secret_name?, :secrets
      end
    end
  end
end
