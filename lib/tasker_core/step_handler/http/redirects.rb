# frozen_string_literal: true

module TaskerCore
  class StepHandler
    class Http < StepHandler
      # Asks a client, and follows as many redirects as the request allows.
      #
      # @api private
      class Redirects
        STATUSES = [301, 302, 303, 307, 308].freeze
        # Headers that tell nobody anything, and so may go to another host.
        HARMLESS = /\A(accept(-.*)?|user-agent|content-type)\z/i
        # What a request gets when the ones before it took all the time: it fails as one that took too long.
        SHORTEST = 0.001
        private_constant :STATUSES, :HARMLESS, :SHORTEST

        def initialize(client)
          @client = client
        end

        # @return [Array(Request, Response)] the last of each
        def follow(request)
          deadline = Waiting.monotonic + request.timeout
          response = ask(request)
          request.redirects.times do
            following = following(request, response) or break
            request = following.with(timeout: [deadline - Waiting.monotonic, SHORTEST].max)
            response = ask(request)
          end
          [request, response]
        end

        private

        def ask(request)
          response = begin
            @client.call(request)
          rescue Error
            raise
          rescue StandardError => e
            raise Failure.of_connection(request, e)
          end
          return response if response.is_a?(Response)

          raise TypeError, "the client gave a #{response.class}, not a Response"
        end

        # The request that a response leads to; nil where it leads nowhere.
        def following(request, response)
          location = response.header("location")
          return unless STATUSES.include?(response.status) && location

          target = URI.join(request.url, location)
          return if request.url.scheme == "https" && target.scheme != "https"

          elsewhere(as_get(request, response.status), target)
        rescue URI::Error
          nil
        end

        # As browsers do it: a POST that was answered by 301 or 302 goes on as a GET, too.
        def as_get(request, status)
          keeps = [307, 308].include?(status) || %w[GET HEAD].include?(request.method)
          keeps ? request : request.with(method: "GET", body: nil, headers: without_content(request.headers))
        end

        def without_content(headers)
          headers.reject { |name, _| name.match?(/\Acontent-/i) }
        end

        def elsewhere(request, target)
          same = %i[scheme host port].all? { |part| request.url.public_send(part) == target.public_send(part) }
          headers = same ? request.headers : request.headers.select { |name, _| name.match?(HARMLESS) }
          request.with(url: target, headers: headers)
        end
      end
    end
  end
end
