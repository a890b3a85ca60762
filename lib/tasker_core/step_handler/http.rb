# frozen_string_literal: true

require "json"
require "uri"
require_relative "http/redaction"
require_relative "http/request"
require_relative "http/response"
require_relative "http/settings"
require_relative "http/placeholders"
require_relative "http/request_builder"
require_relative "http/redirects"
require_relative "http/retry_after"
require_relative "http/failure"
require_relative "http/net_http"

module TaskerCore
  class StepHandler
    # A handler that makes one HTTP request and takes the answer for its result. What it asks, and what it makes of
    # the answer, stands in the step's `config`; a subclass may say either in Ruby, by {#request} and {#result}.
    #
    # ## The request
    #
    # | key | default | meaning |
    # |---|---|---|
    # | `url` | none: it must be there | `https://…`, or the path behind `base_url` |
    # | `base_url` | none | what a `url` that names no host is put behind; `{config.…}` and `{env.…}` may stand in it |
    # | `method` | `GET`, with a body `POST` | |
    # | `query` | none | values by name, added to the URL's own; an Array repeats the name, null leaves it out |
    # | `headers` | `Accept: application/json` | text by name; null leaves one out |
    # | `body` | none | any JSON value, sent as JSON; a String as it is where `headers` name another `Content-Type` |
    # | `idempotency_header` | `Idempotency-Key` | carries {StepContext#idempotency_key}; null leaves it out |
    # | `timeout` | 30 | seconds for all of it, never more than nine tenths of the step's own timeout |
    # | `open_timeout` | 5 | seconds for connecting |
    # | `redirects` | 0 | how many to follow; never from https to http, and to another host without `headers` |
    # | `max_body` | 1048576 | the most bytes that an answer may have, unpacked |
    #
    # Keys that aren't here are yours: a subclass may read them, and placeholders find them.
    #
    # ## Placeholders
    #
    # In `url`, `query`, `headers` and `body`, `{…}` stands for a value; a brace itself is written twice.
    #
    # | placeholder | value |
    # |---|---|
    # | `{order_id}`, `{customer.name}`, `{items.0.sku}` | of the task's context |
    # | `{context}`, `{context.results}` | the whole context; a field of it that is called like one of these words |
    # | `{results.validate.total}` | of the result of a step that this one depends on |
    # | `{config.page_size}` | of the step's own config, where its environments may set it |
    # | `{env.SHOP_TOKEN}` | of the process's environment; in `headers`, where it is stored nowhere, and `base_url` |
    #
    # In `url` a value is escaped and may be neither empty nor null: it can't add a segment or a parameter, and no
    # value of a task chooses the host. In `query` and `body`, a String that is one placeholder and nothing else
    # becomes the value itself, a number or a whole Hash. A value that isn't there is a permanent error.
    #
    # ## The answer
    #
    # | key | default | meaning |
    # |---|---|---|
    # | `success` | `["2xx"]` | the statuses that are a success: numbers, or classes such as `2xx` |
    # | `retry_on` | `[]` | statuses that are to be tried again, beside those below |
    # | `retry_after_cap` | 3600 | the most seconds for which `Retry-After` is honoured |
    # | `result` | `body` | `body`, or a list of `status`, `headers` and `body`, which makes a Hash of them |
    #
    # The body is parsed where it is JSON, and else a String; an empty one is nil. Headers that carry secrets
    # (`Set-Cookie` and the like) are left out of the result.
    #
    # 408, 425, 429, every 5xx, connection faults (refused, reset, timed out, name not found, TLS) and a body that is
    # not the JSON that it is said to be are retryable, after as many seconds as `Retry-After` asks for, as a number
    # or as a date. Every other status is permanent, with the code `http_404` and so on. The recorded error has
    # `method, url, status` and the beginning of `body` as its context: no header, nothing of the query's values.
    #
    # ## The client
    #
    # Net::HTTP, which keeps the last connection of each thread. Any other one is an object with `call(request)` that
    # gives a {Response}: `Http.new(client: adapter)` is a handler too. What it raises is retryable, unless it is a
    # {PermanentError}.
    #
    # @example A service on this machine, and a step that asks it
    #   require "socket"
    #   shop = TCPServer.new("127.0.0.1", 0)
    #   Thread.new do
    #     socket = shop.accept
    #     path = socket.gets.split[1]
    #     nil until socket.gets == "\r\n"
    #     socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", JSON.generate({ path: path }))
    #     socket.close
    #   end
    #
    #   handle = TaskerCore.open("sqlite::memory:")
    #   config = { base_url: "http://127.0.0.1:#{shop.addr[1]}", url: "/carts/{cart_id}", query: { full: true } }
    #   step = { name: "fetch", handler: TaskerCore::StepHandler::Http, config: config }
    #   handle.register({ name: "cart", steps: [step] })
    #   task = handle.create_task("cart", context: { cart_id: 7 })
    #   handle.work(until: :idle)
    #   task.reload.step(:fetch).result # => { "path" => "/carts/7?full=true" }
    #
    # @example A subclass that says in Ruby what it asks and what it makes of the answer
    #   class ChargeCard < TaskerCore::StepHandler::Http
    #     def request(ctx)
    #       Request.new(method: "POST", url: "https://pay.example/charges",
    #                   headers: { "Authorization" => "Bearer #{ENV.fetch("PAY_TOKEN")}" },
    #                   json: { amount: ctx.result(:validate)["total"] })
    #     end
    #
    #     def result(response) = response.value.slice("id", "status")
    #   end
    class Http < StepHandler
      CLIENT = NetHttp.new.freeze
      private_constant :CLIENT

      # @param client [#call, nil] makes a {Response} of a {Request}. Default: Net::HTTP
      def initialize(client: nil)
        super()
        @client = client || CLIENT
      end

      # @param ctx [StepContext]
      # @return [Object] what {#result} makes of the answer, and what `config` says of it
      # @raise [RetryableError] when there is no answer, or one that may be another next time
      # @raise [PermanentError] when the answer won't change, or `config` is wrong
      def call(ctx)
        settings = Settings.new(ctx.config)
        asked = settings.complete(request(ctx), ctx)
        asked, response = Redirects.new(@client).follow(asked)
        raise Failure.of_status(asked, response, settings) unless settings.success?(response.status)

        settings.assemble(response) { result(response) }
      rescue Response::Unreadable => e
        raise Failure.unreadable(asked, response, e)
      end

      # What is asked; a subclass may say it in Ruby. The idempotency key is added to it, and its timeout is kept
      # below the step's.
      #
      # @param ctx [StepContext]
      # @return [Request] that of the step's `config`
      # @raise [PermanentError] when a value isn't there, or `config` is wrong
      def request(ctx)
        RequestBuilder.new(Settings.new(ctx.config), Placeholders.new(ctx)).build
      end

      # What is kept of a successful answer's body; a subclass may say it in Ruby.
      #
      # @param response [Response]
      # @return [Object] any JSON value: {Response#value}
      def result(response)
        response.value
      end
    end
  end
end
