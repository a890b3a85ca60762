# frozen_string_literal: true

module TaskerCore
  class StepHandler
    class Http < StepHandler
      # What is asked of a server; frozen.
      #
      # @example
      #   request = TaskerCore::StepHandler::Http::Request.new(url: "https://shop.example/carts", json: { items: [] })
      #   request.method # => "POST"
      #   request.with(timeout: 5).timeout # => 5
      class Request
        METHOD = /\A[A-Za-z]+\z/
        NAME = /\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+\z/
        private_constant :METHOD, :NAME

        # @return [String] in capitals
        attr_reader :method
        # @return [URI::HTTP] absolute, without user and password
        attr_reader :url
        # @return [Hash{String => String}]
        attr_reader :headers
        # @return [String, nil]
        attr_reader :body
        # @return [Numeric] seconds for all of it
        attr_reader :timeout
        # @return [Numeric] seconds for connecting
        attr_reader :open_timeout
        # @return [Integer] how many redirects may be followed
        attr_reader :redirects
        # @return [Integer] the most bytes that the answer may have, unpacked
        attr_reader :max_body

        # @param url [String, URI] http or https
        # @param method [String, nil] default: GET, with a body POST
        # @param headers [Hash{String => String}]
        # @param body [String, nil]
        # @param json [Object, nil] a JSON value for the body
        # @param timeout [Numeric] seconds for all of it
        # @param open_timeout [Numeric] seconds for connecting
        # @param redirects [Integer] how many may be followed
        # @param max_body [Integer] the most bytes that the answer may have, unpacked
        # @raise [PermanentError] when the URL, the method or a header can't be sent
        def initialize(url:, method: nil, headers: {}, body: nil, json: nil, timeout: 30, open_timeout: 5, redirects: 0,
                       max_body: 1 << 20)
          @url = parse(url)
          @body = json.nil? ? body : JSON.generate(json)
          @headers = checked(json.nil? ? headers : with_default(headers, "Content-Type", "application/json")).freeze
          @method = checked_method(method || (@body ? "POST" : "GET"))
          @timeout = timeout
          @open_timeout = open_timeout
          @redirects = redirects
          @max_body = max_body
          freeze
        end

        # @param changes [Hash{Symbol => Object}] as for {#initialize}
        # @return [Request] another one, with these changes
        def with(**changes)
          Request.new(url: url, method: method, headers: headers, body: body, timeout: timeout,
                      open_timeout: open_timeout, redirects: redirects, max_body: max_body, **changes)
        end

        # @param name [String] in any case
        # @return [String, nil]
        def header(name)
          headers.find { |other, _| other.casecmp?(name) }&.last
        end

        # @param name [String]
        # @param value [String]
        # @return [Request] one that has the header, unless this has it already
        def with_default_header(name, value)
          header(name) ? self : with(headers: { **headers, name => value })
        end

        # @return [String] one short line without secrets
        def inspect
          "#<#{self.class} #{self}>"
        end

        # @return [String] the method and the URL without the values of its query
        def to_s
          "#{method} #{Redaction.url(url)}"
        end

        private

        def parse(url)
          uri = URI.parse(url.to_s)
          raise refused("the URL #{Redaction.url(uri)} is not http or https with a host") unless
            uri.is_a?(URI::HTTP) && !uri.host.to_s.empty?
          raise refused("the URL #{Redaction.url(uri)} has a user; send a header Authorization") if uri.userinfo

          uri.dup.tap { |copy| copy.fragment = nil }.freeze
        rescue URI::Error
          raise refused("the URL can't be parsed")
        end

        def checked_method(method)
          return method.upcase.freeze if method.is_a?(String) && method.match?(METHOD)

          raise refused("#{method.inspect} is no HTTP method")
        end

        def checked(headers)
          headers.to_h do |name, value|
            raise refused("#{name.inspect} is no header's name") unless name.to_s.match?(NAME)
            raise refused("the header #{name} has a line break or NUL in it") if value.to_s.match?(/[\r\n\0]/)

            [name.to_s.dup.freeze, value.to_s.dup.freeze]
          end
        end

        def with_default(headers, name, value)
          headers.any? { |other, _| other.to_s.casecmp?(name) } ? headers : { **headers, name => value }
        end

        def refused(message)
          PermanentError.new(message, error_code: "invalid_request")
        end
      end
    end
  end
end
