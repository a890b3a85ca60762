# frozen_string_literal: true

module TaskerCore
  class StepHandler
    class Http < StepHandler
      # Makes the request that a step's `config` describes.
      #
      # @api private
      class RequestBuilder
        # What comes before the path. No value may choose the host.
        ORIGIN = %r{\A(https?)://[^/?#\s{}]+(?=[/?#]|\z)}i
        # What the deployment says, and no task.
        TRUSTED = %w[config env].freeze
        ANYWHERE = %w[context results config env].freeze
        DOTS = /\A(\.|%2e){1,2}\z/i
        private_constant :ORIGIN, :TRUSTED, :ANYWHERE, :DOTS

        def initialize(settings, placeholders)
          @settings = settings
          @placeholders = placeholders
        end

        def build
          headers = filled_headers
          Request.new(url: url, method: @settings.method, headers: headers, timeout: @settings.timeout,
                      open_timeout: @settings.open_timeout, redirects: @settings.redirects,
                      max_body: @settings.max_body, **body(headers))
        end

        private

        def url
          base, template = base_and_rest
          path, query = template.split("#", 2).first.to_s.split("?", 2)
          path = fill_url(path.to_s)
          refuse_dots(path)
          query = [query && fill_url(query), encoded_query].compact.reject(&:empty?).join("&")
          "#{base}#{path}#{"?#{query}" unless query.empty?}"
        end

        # What comes first and is known to name a host, and the path that is still to be filled.
        def base_and_rest
          url = @settings.url
          if (origin = url[ORIGIN])
            rest = url.delete_prefix(origin)
            return [origin, rest.start_with?("/") ? rest : "/#{rest}"]
          end
          base = @placeholders.fill(@settings.base_url.to_s, "base_url", from: TRUSTED)
          key = @settings.base_url ? "base_url" : "url"
          raise Settings.wrong(key, "starts with http:// or https:// and a host") unless base.match?(ORIGIN)

          [base.chomp("/"), "/#{url.delete_prefix("/")}"]
        end

        def fill_url(template)
          @placeholders.fill(template, "url") do |value, token|
            raise Settings.wrong("url", "#{token} is empty") if value.empty?

            URI.encode_www_form_component(value).gsub("+", "%20")
          end
        end

        # Escaping leaves dots as they are, and servers take them for a way out of the folder.
        def refuse_dots(path)
          return if path.split("/").none? { |segment| segment.match?(DOTS) }

          raise Settings.wrong("url", "a segment of its path is . or .. and would lead elsewhere")
        end

        def encoded_query
          pairs = @placeholders.fill_all(@settings.query, "query").flat_map do |name, value|
            items = value.is_a?(Array) ? value : [value]
            items.compact.map { |item| [name, plain(name, item)] }
          end
          URI.encode_www_form(pairs)
        end

        def plain(name, item)
          return item.to_s unless item.is_a?(Hash) || item.is_a?(Array)

          raise Settings.wrong("query.#{name}", "is a #{item.class}, which has no form in a URL")
        end

        def filled_headers
          own = @settings.headers.compact.to_h do |name, value|
            place = "headers.#{name}"
            raise Settings.wrong(place, "is text, not a #{value.class}") if value.is_a?(Hash) || value.is_a?(Array)

            [name, @placeholders.fill(value.to_s, place, from: ANYWHERE)]
          end
          own.keys.any? { |name| name.casecmp?("accept") } ? own : { "Accept" => "application/json", **own }
        end

        def body(headers)
          value = @placeholders.fill_all(@settings.body, "body")
          return {} if value.nil?

          type = headers.find { |name, _| name.casecmp?("content-type") }&.last
          return { json: value } if type.nil? || type.match?(/json/i)
          raise Settings.wrong("body", "is text where the Content-Type is #{type}") unless value.is_a?(String)

          { body: value }
        end
      end
    end
  end
end
