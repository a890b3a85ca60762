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
        private_constant :TOKEN, :ALONE

        def initialize(ctx)
          @ctx = ctx
        end

        # @param text [String]
        # @param place [String] the key in `config` that it stands under
        # @param environment [Boolean] whether `{env.…}` may stand in it
        # @yieldparam value [String] of one placeholder, to be made fit for the text
        # @return [String]
        def fill(text, place, environment: false)
          text.gsub(TOKEN) do |token|
            case token
            when "{{" then "{"
            when "}}" then "}"
            when "{", "}" then raise Settings.wrong(place, "has a lone brace; write it twice where it is meant so")
            else
              value = scalar(look_up(token[1..-2], place, environment), token, place)
              block_given? ? yield(value, token) : value
            end
          end
        end

        # The JSON value with every String in it filled, and each that is one placeholder alone replaced by its value.
        def fill_all(value, place)
          case value
          when Hash then value.to_h { |key, item| [key, fill_all(item, "#{place}.#{key}")] }
          when Array then value.each_with_index.map { |item, index| fill_all(item, "#{place}[#{index}]") }
          when ALONE then look_up(value[ALONE, 1], place, false)
          when String then fill(value, place)
          else value
          end
        end

        private

        def look_up(name, place, environment)
          first, *rest = words = name.split(".", -1)
          case first
          when "env" then environment ? from_environment(rest, name, place) : raise(no_environment(name, place))
          when "config" then dig(@ctx.config, rest, name, place)
          when "context" then dig(@ctx.context, rest, name, place)
          when "results" then dig(@ctx.results, rest, name, place)
          else dig(@ctx.context, words, name, place)
          end
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

        def no_environment(name, place)
          Settings.wrong(place, "{#{name}} may stand in headers only, where it is stored nowhere")
        end
      end
    end
  end
end
