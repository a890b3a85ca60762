# frozen_string_literal: true

require "net/http"
require "openssl"
require "timeout"

module TaskerCore
  class StepHandler
    class Http < StepHandler
      # The client where no other is given: Ruby's own Net::HTTP. Servers' certificates are verified; a proxy is taken
      # from the environment, as Net::HTTP does it; the connection that a thread used last is kept for its next request.
      class NetHttp
        # What a thread keeps. A forked child inherits it, and leaves its parent's connection alone.
        Kept = Struct.new(:http, :origin, :pid)
        KEEPER = :tasker_core_http_connection
        private_constant :Kept, :KEEPER

        # @param request [Request]
        # @return [Response]
        # @raise [PermanentError] when the answer is larger than it may be
        # @raise [StandardError] when the connection fails, or the time is over
        def call(request)
          http = connection(request)
          late = "it took longer than #{request.timeout} s"
          response = Timeout.timeout(request.timeout, nil, late) { exchange(http, request) }
        ensure
          discard(http) unless response
        end

        private

        def exchange(http, request)
          http.start unless http.started?
          answer = nil
          body = +""
          whole = catch(:cut_off) do
            http.request(native(request)) { |incoming| read(answer = incoming, body, request) }
          end
          discard(http) unless whole
          Response.new(status: answer.code, headers: answer.each_header.to_h, body: body)
        end

        # Of an answer that is no success the beginning will do.
        def read(answer, body, request)
          promised = length_of(answer, request)
          answer.read_body do |part|
            body << part
            next if body.bytesize <= request.max_body

            raise too_large(request) if answer.is_a?(Net::HTTPSuccess)

            throw :cut_off
          end
          # Net::HTTP takes the half of an answer for the whole; only newer ones can be told not to.
          raise EOFError, "the answer ended early" if body.bytesize < promised
        end

        # How many bytes will be read, at the least.
        def length_of(answer, request)
          return 0 if request.method == "HEAD" || !answer.class.body_permitted? || answer["content-encoding"]

          answer.content_length || 0
        end

        def too_large(request)
          PermanentError.new("#{request} answered with more than #{request.max_body} bytes",
                             error_code: "body_too_large",
                             context: { method: request.method, url: Redaction.url(request.url) })
        end

        def native(request)
          headers = { "User-Agent" => "tasker_core/#{VERSION}", **request.headers }
          headers["Content-Length"] = "0" if request.body.nil? && %w[POST PUT PATCH].include?(request.method)
          native = Net::HTTPGenericRequest.new(request.method, !request.body.nil?, request.method != "HEAD",
                                               request.url.request_uri, headers)
          native.body = request.body if request.body
          native
        end

        def connection(request)
          origin = [request.url.scheme, request.url.host, request.url.port]
          kept = Thread.current.thread_variable_get(KEEPER)
          kept = replace(kept, request, origin) unless kept && kept.pid == Process.pid && kept.origin == origin
          kept.http.tap { |http| http.open_timeout = http.ssl_timeout = request.open_timeout }
        end

        def replace(kept, request, origin)
          discard(kept.http) if kept && kept.pid == Process.pid
          Kept.new(build(request), origin, Process.pid).tap do |made|
            Thread.current.thread_variable_set(KEEPER, made)
          end
        end

        def build(request)
          http = Net::HTTP.new(request.url.hostname, request.url.port)
          http.use_ssl = request.url.scheme == "https"
          http.verify_mode = OpenSSL::SSL::VERIFY_PEER if http.use_ssl?
          # Net::HTTP would send a request twice of which it doesn't know whether it arrived; retrying is the step's.
          http.max_retries = 0
          # One limit holds for all of a request, in call; these would hold for each read and write.
          http.read_timeout = http.write_timeout = nil
          http
        end

        # Closes a connection of which nobody knows what is still to come on it.
        def discard(http)
          Thread.current.thread_variable_set(KEEPER, nil)
          http.finish if http&.started?
        rescue IOError, SystemCallError, OpenSSL::SSL::SSLError
          nil
        end
      end
    end
  end
end
