# frozen_string_literal: true

module TaskerCore
  class StepHandler
    class Http < StepHandler
      # What a server answered; a client of your own makes one.
      #
      # @example
      #   response = TaskerCore::StepHandler::Http::Response.new(status: 200, body: '{"id":7}',
      #                                                          headers: { "Content-Type" => "application/json" })
      #   response.value # => { "id" => 7 }
      class Response
        # The body is not what the headers say of it; the request is tried again.
        class Unreadable < StandardError; end

        JSON_TYPE = %r{\Aapplication/([^;]+\+)?json\s*(;|\z)}i
        CHARSET = /;\s*charset="?([^\s";]+)/i
        private_constant :JSON_TYPE, :CHARSET

        # @return [Integer]
        attr_reader :status
        # @return [Hash{String => String}] by name in small letters
        attr_reader :headers
        # @return [String] unpacked, in no encoding
        attr_reader :body

        # @param status [Integer]
        # @param headers [Hash{String => String}] names in any case
        # @param body [String, nil] unpacked
        def initialize(status:, headers: {}, body: nil)
          @status = Integer(status)
          @headers = headers.to_h { |name, value| [name.to_s.downcase.freeze, value.to_s.dup.freeze] }.freeze
          @body = body.to_s.b.freeze
          freeze
        end

        # @param name [String] in any case
        # @return [String, nil]
        def header(name)
          headers[name.downcase]
        end

        # @return [Boolean] whether it says that it is JSON
        def json?
          header("content-type").to_s.match?(JSON_TYPE)
        end

        # @return [Object, nil] the body: parsed where it is JSON, else as text; nil where it is empty
        # @raise [Unreadable] when it is not the JSON, or not in the encoding, that its headers say
        def value
          return if body.empty?

          json? ? JSON.parse(text) : text
        rescue JSON::ParserError
          raise Unreadable, "says that it is JSON and is not"
        end

        # @return [String] the body in UTF-8
        # @raise [Unreadable] when it is not in the encoding that its headers say
        def text
          text = body.dup.force_encoding(encoding)
          raise Unreadable, "is not in the encoding #{encoding}" unless text.valid_encoding?

          text.encode(Encoding::UTF_8).delete_prefix("\uFEFF")
        rescue EncodingError
          raise Unreadable, "can't be put into UTF-8"
        end

        # @return [String] one short line
        def inspect
          "#<#{self.class} #{status}, #{body.bytesize} bytes>"
        end
        alias to_s inspect

        private

        def encoding
          Encoding.find(header("content-type").to_s[CHARSET, 1] || "UTF-8")
        rescue ArgumentError
          raise Unreadable, "is in an encoding that isn't known"
        end
      end
    end
  end
end
