# frozen_string_literal: true

module TaskerCore
  class StepHandler
    class Http < StepHandler
      # Puts values for the placeholders of a step's `config`; {Http} says what they are. Values are put in once:
      # braces in a value are nothing but braces.
      #
      # @api private
      class Placeholders
        TOKEN = /\{\{|\}\}|\{[^{}]*\}|[{}]/
        ALONE = /\A\{([^{}]+)\}\z/
        SOURCES = %w[context results config env].freeze
        # What may be recorded, and so stand in anything but a header.
        RECORDED = %w[context results config].freeze
        private_constant :TOKEN, :ALONE, :SOURCES, :RECORDED

        def initialize(ctx)
          @ctx = ctx
        end

        # @param text [String]
        # @param place [String] the key in `config` that it stands under
        # @param from [Array<String>] where its values may come from: `context, results, config, env`
        # @yieldparam value [String] of one placeholder, to be made fit for the text
        # @return [String]
        def fill(text, place, from: RECORDED)
          text.gsub(TOKEN) do |token|
            case token
            when "{{" then "{"
            when "}}" then "}"
            when "{", "}" then raise Settings.wrong(place, "has a lone brace; write it twice where it is meant so")
            else
              value = scalar(look_up(token[1..-2], place, from), token, place)
              block_given? ? yield(value, token) : value
            end
          end
        end

        # The JSON value with every String in it filled, and each that is one placeholder alone replaced by its value.
        def fill_all(value, place)
          case value
          when Hash then value.to_h { |key, item| [key, fill_all(item, "#{place}.#{key}")] }
          when Array then value.each_with_index.map { |item, index| fill_all(item, "#{place}[#{index}]") }
          when ALONE then look_up(value[ALONE, 1], place, RECORDED)
          when String then fill(value, place)
          else value
          end
        end

        private

        def look_up(name, place, from)
          words = name.split(".", -1)
          source = SOURCES.include?(words.first) ? words.shift : "context"
          raise Settings.wrong(place, "{#{name}}: no value of #{source} may stand here") unless from.include?(source)
          return from_environment(words, name, place) if source == "env"

          dig(@ctx.public_send(source), words, name, place)
        end

        def dig(value, words, name, place)
          words.reduce(value) do |found, word|
            case found
            when Hash then found.fetch(word) { raise missing(name, place, Nearest.hint(word, found.keys)) }
            when Array then found.fetch(index(word) || found.size) { raise missing(name, place) }
            else raise missing(name, place)
            end
          end
        end

        def index(word)
          word.to_i if word.match?(/\A\d+\z/)
        end

        def from_environment(words, name, place)
          ENV.fetch(words.join(".")) { raise missing(name, place) }
        end

        def scalar(value, token, place)
          case value
          when String, Integer, Float, true, false then value.to_s
          else raise Settings.wrong(place, "#{token} is #{kind(value)}; only text, a number, true or false fits here")
          end
        end

        def kind(value)
          value.nil? ? "null" : "a #{value.class}"
        end

        def missing(name, place, hint = "")
          PermanentError.new("config.#{place}: there is no value for {#{name}}#{hint}", error_code: "missing_value")
        end
      end
    end
  end
end
