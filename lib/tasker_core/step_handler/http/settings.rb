# frozen_string_literal: true

module TaskerCore
  class StepHandler
    class Http < StepHandler
      # What a step's `config` says of its request and of the answer; {Http} lists the keys. A wrong value is a
      # permanent error when it is read.
      #
      # @api private
      class Settings
        # How much of the step's time a request may take: the rest is for what is done with the answer.
        SHARE_OF_STEP = 0.9
        RETRYABLE = [408, 425, 429].freeze
        PARTS = %w[status headers body].freeze
        STATUS_CLASS = /\A([1-5])xx\z/i
        private_constant :SHARE_OF_STEP, :RETRYABLE, :PARTS, :STATUS_CLASS

        def self.wrong(key, message)
          PermanentError.new("config.#{key}: #{message}", error_code: "invalid_config")
        end

        def initialize(config)
          @config = config
        end

        def base_url = text("base_url")
        def url = text("url") || raise(Settings.wrong("url", "is missing: it says where the request goes"))
        def method = text("method")
        def query = hash("query")
        def headers = hash("headers")
        def body = @config["body"]
        def redirects = count("redirects", 0)
        def max_body = count("max_body", 1 << 20)
        def timeout = seconds("timeout", 30)
        def open_timeout = seconds("open_timeout", 5)
        def retry_after_cap = seconds("retry_after_cap", 3_600, least: 0)

        # The request with what every one has: the key, and a timeout below the step's.
        def complete(request, ctx)
          raise TypeError, "request(ctx) gave a #{request.class}, not a Request" unless request.is_a?(Request)

          header = @config.fetch("idempotency_header", "Idempotency-Key")
          request = request.with_default_header(header, ctx.idempotency_key) if header
          request.with(timeout: [request.timeout, ctx.timeout * SHARE_OF_STEP].min)
        end

        def success?(status) = among?("success", ["2xx"], status)

        def retryable?(status)
          among?("retry_on", [], status) || RETRYABLE.include?(status) || status >= 500
        end

        # The result: what the block makes of the body, alone or with other parts of the response.
        def assemble(response)
          return yield if (wanted = parts) == "body"

          found = { "status" => response.status, "headers" => Redaction.headers(response.headers) }.slice(*wanted)
          wanted.include?("body") ? { **found, "body" => yield } : found
        end

        private

        def parts
          wanted = @config.fetch("result", "body")
          return wanted if wanted == "body" || (wanted.is_a?(Array) && !wanted.empty? && (wanted - PARTS).empty?)

          raise Settings.wrong("result", "is \"body\", or a list of #{PARTS.join(", ")}, not #{wanted.inspect}")
        end

        def among?(key, otherwise, status)
          @config.fetch(key, otherwise).then { |listed| Array(listed) }.any? do |wanted|
            next status == wanted if wanted.is_a?(Integer) && wanted.between?(100, 599)

            digit = wanted.to_s[STATUS_CLASS, 1] or
              raise Settings.wrong(key, "lists statuses such as 204 or \"2xx\", not #{wanted.inspect}")
            status / 100 == digit.to_i
          end
        end

        def text(key)
          value = @config[key]
          return value if value.nil? || value.is_a?(String)

          raise Settings.wrong(key, "is text, not #{value.inspect}")
        end

        def hash(key)
          value = @config[key] || {}
          return value if value.is_a?(Hash)

          raise Settings.wrong(key, "is a mapping of names to values, not #{value.inspect}")
        end

        def count(key, otherwise)
          value = @config.fetch(key, otherwise)
          return value if value.is_a?(Integer) && !value.negative?

          raise Settings.wrong(key, "is a whole number, 0 or more, not #{value.inspect}")
        end

        def seconds(key, otherwise, least: 0.001)
          value = @config.fetch(key, otherwise)
          return value if value.is_a?(Numeric) && value >= least

          raise Settings.wrong(key, "is a number of seconds, #{least} or more, not #{value.inspect}")
        end
      end
    end
  end
end
