# frozen_string_literal: true

RSpec.describe TaskerCore::StepHandler::Http do
  # A server that tells what it was asked.
  let(:mirror) do
    serve do |asked|
      json({ method: asked.verb, target: asked.target, headers: asked.headers, body: asked.body })
    end
  end

  def told(config, **options) = ask({ url: mirror.url("/"), **config }, **options)
  def target(url, **options) = told({ url: mirror.url(url) }, **options).result&.fetch("target")

  # What the one attempt failed with.
  def refusal(config, **options)
    step = told(config, **options)
    expect(step).to have_attributes(status: "error", attempts: 1)
    expect(mirror.asked).to eq([])
    step.error
  end

  each_database do
    describe "a request" do
      it "is a GET that asks for JSON where nothing more is said" do
        result = told({}).result
        expect(result).to include("method" => "GET", "target" => "/", "body" => "")
        expect(result["headers"]).to include("accept" => "application/json",
                                             "user-agent" => "tasker_core/#{TaskerCore::VERSION}")
      end

      it "with a body is a POST of JSON" do
        result = told({ body: { items: [1, 2.5, nil] } }).result
        expect(result).to include("method" => "POST", "body" => '{"items":[1,2.5,null]}')
        expect(result["headers"]).to include("content-type" => "application/json")
      end

      it "has the method, the query and the headers of the config" do
        result = told({ method: "put", query: { list: [1, "ü"], n: 1, none: nil, q: "a b&c" },
                        headers: { "X-Shop" => "main", "Accept" => "text/plain" } }).result
        expect(result).to include("method" => "PUT", "target" => "/?list=1&list=%C3%BC&n=1&q=a+b%26c")
        expect(result["headers"]).to include("x-shop" => "main", "accept" => "text/plain", "content-length" => "0")
      end

      it "sends text as it is under another Content-Type" do
        result = told({ body: "a={a}", headers: { "Content-Type" => "application/x-www-form-urlencoded" } },
                      context: { a: 1 }).result
        expect(result["body"]).to eq("a=1")
      end

      it "goes to the path behind a base_url, and past it with a url of its own" do
        other = serve { json("other") }
        expect(told({ base_url: mirror.url("/v1/"), url: "/carts/7?x=1" }).result["target"]).to eq("/v1/carts/7?x=1")
        expect(ask({ base_url: mirror.url("/v1"), url: other.url("/") }).result).to eq("other")
      end

      it "goes to the base_url that the config or the environment names" do
        ENV["HTTP_SPEC_HOST"] = mirror.url
        config = { base_url: "{env.HTTP_SPEC_HOST}/{config.api}/", url: "carts", api: "v2" }
        expect(told(config).result["target"]).to eq("/v2/carts")
      ensure
        ENV.delete("HTTP_SPEC_HOST")
      end

      it "carries the same idempotency key in every attempt, and another one in every task" do
        answers = [[503, {}, ""], [200, {}, ""], [200, {}, ""]]
        server = serve { answers.shift }
        ids = Array.new(2) { ask({ url: server.url }).task_id }
        keys = server.asked.map { |asked| asked.headers["idempotency-key"] }
        expect(keys).to eq(["#{ids[0]}/0", "#{ids[0]}/0", "#{ids[1]}/0"])
      end

      it "carries the key under another name, under none, or one of its own" do
        headers = [{ idempotency_header: "X-Request-Id" }, { idempotency_header: nil },
                   { headers: { "idempotency-key" => "mine" } }].map { |config| told(config).result["headers"] }
        expect(headers[0]).to include("x-request-id" => a_string_ending_with("/0"))
        expect(headers[0].merge(headers[1])).not_to include("idempotency-key")
        expect(headers[2]).to include("idempotency-key" => "mine")
      end
    end

    describe "a placeholder" do
      it "stands for values of the context, of parents' results and of the config" do
        url = "/{order.items.1.sku}/{results.total.sum}/{config.page}/{context.results}"
        http_config = { base_url: mirror.url, url: url, page: 9 }
        flow = workflow do
          step(:total) { { "sum" => 1.5 } }
          step :ask, TaskerCore::StepHandler::Http, depends_on: :total, config: http_config
        end
        task = run_task(flow, context: { order: { items: [{}, { sku: "b2" }] }, results: true })
        expect(task.step(:ask).result["target"]).to eq("/b2/1.5/9/true")
      end

      it "that is all of a String becomes the value itself, anywhere in a body and a query" do
        order = { "id" => 7, "lines" => [{ "n" => nil }], "note" => "{id} {{" }
        result = told({ query: { id: "{order.id}", tags: "{tags}" },
                        body: { order: "{order}", all: ["{context}"], text: "no. {order.id}!", plain: "{{x}}" } },
                      context: { order: order, tags: %w[a b] }).result
        expect(result["target"]).to eq("/?id=7&tags=a&tags=b")
        expect(JSON.parse(result["body"])).to eq("order" => order, "all" => [{ "order" => order, "tags" => %w[a b] }],
                                                 "text" => "no. 7!", "plain" => "{x}")
      end

      it "is escaped in a URL: a value adds no segment, no parameter and no host" do
        { "a/b" => "/a%2Fb", "a?b=c&d" => "/a%3Fb%3Dc%26d", "a b+ü" => "/a%20b%2B%C3%BC", "#x" => "/%23x",
          "@evil.example" => "/%40evil.example", "%2e" => "/%252e", "{x}" => "/%7Bx%7D" }.each do |value, path|
          expect(target("/{id}", context: { id: value })).to eq(path)
        end
        expect(target("/?q={id}", context: { id: "a&b=c" })).to eq("/?q=a%26b%3Dc")
      end

      it "of the environment fills headers, and is stored nowhere" do
        ENV["HTTP_SPEC_TOKEN"] = "s3cr3t-of-the-environment"
        server = serve { |asked| [422, {}, "you said #{asked.headers["authorization"]}"] }
        step = ask({ url: server.url, headers: { Authorization: "Bearer {env.HTTP_SPEC_TOKEN}" } })
        expect(server.asked.first.headers["authorization"]).to eq("Bearer s3cr3t-of-the-environment")
        expect(step.error["context"]["body"]).to eq("you said [hidden]")
        expect(step.to_h.inspect + handle.task(step.task_id).history.to_a.inspect).not_to include("s3cr3t")
      ensure
        ENV.delete("HTTP_SPEC_TOKEN")
      end

      it "without a value is permanent, and the error names it and the nearest" do
        error = refusal({ url: mirror.url("/{order_idd}") }, context: { order_id: 1 })
        expect(error).to include("error_code" => "missing_value",
                                 "message" => a_string_including("config.url", "{order_idd}", '"order_id"'))
        ["{a.b.c}", "{list.3}", "{list.-1}", "{results.none}", "{config.none}", "{context.none}", "{}"].each do |wrong|
          error = refusal({ body: { deep: [wrong] } }, context: { a: { b: 1 }, list: [0] })
          expect(error["message"]).to include("config.body.deep[0]", wrong)
        end
      end

      {
        "an empty value in a URL" => [{ url: "http://h.example/{a}" }, { a: "" }],
        "null in a URL" => [{ url: "http://h.example/{a}" }, { a: nil }],
        "a Hash in a URL" => [{ url: "http://h.example/{a}" }, { a: {} }],
        "a way out of the folder" => [{ url: "http://h.example/carts/{a}/x" }, { a: ".." }],
        "a way out in two values" => [{ url: "http://h.example/carts/{a}{a}" }, { a: "." }],
        "a placeholder for the host" => [{ url: "http://{a}.example/" }, { a: "evil" }],
        "a placeholder for all of a URL" => [{ url: "{a}" }, { a: "http://evil.example" }],
        "a task's value in base_url" => [{ url: "/", base_url: "http://{a}.example" }, { a: "evil" }],
        "a base_url without a host" => [{ url: "/", base_url: "shop" }, {}],
        "a lone brace" => [{ url: "http://h.example/{a" }, { a: 1 }],
        "the environment in a URL" => [{ url: "http://h.example/{env.HOME}" }, {}],
        "a line break in a header" => [{ headers: { "X-A" => "{a}" } }, { a: "b\r\nX-Evil: 1" }],
        "a Hash in a header" => [{ headers: { "X-A" => "{a}" } }, { a: {} }],
        "a Hash in a query" => [{ query: { q: "{a}" } }, { a: { b: 1 } }]
      }.each do |what, (config, context)|
        it "is refused for #{what}" do
          expect(refusal(config, context: context)["error_code"]).to match(/\Ainvalid_(config|request)\z/)
        end
      end
    end

    describe "a config" do
      {
        url: [nil, 7, "ftp://h.example/", "//h.example", "http:///x", "http://u:p@h.example/", "http://h example/"],
        method: ["G T", 7, ""], query: ["a=b", [1]], headers: [[], { "a b" => "c" }, { "X" => [1] }],
        timeout: [0, -1, "5", nil], open_timeout: [0], redirects: [-1, 1.5, true], max_body: ["1k"],
        success: [[20], ["ok"], "2x"], retry_on: [[{}]], retry_after_cap: [-1], result: ["head", ["cookies"], []]
      }.each do |key, values|
        it "with a senseless #{key} is permanent, and the error names what is wrong" do
          server = serve { [503, {}, ""] }
          values.each do |value|
            step = ask({ url: server.url, **(key == :result ? { success: 503 } : {}), key => value })
            expect(step).to have_attributes(status: "error", attempts: 1), "#{key}: #{value.inspect}"
            expect(step.error["error_code"]).to match(/\Ainvalid_(config|request)\z/)
          end
        end
      end
    end

    describe "secrets" do
      it "of the URL and the headers are not in the recorded error" do
        server = serve { |asked| [500, { "Set-Cookie" => "session=hush-hush" }, "#{asked.target} #{asked.headers}"] }
        step = ask({ url: server.url("/a?token=url-secret&page=12"), query: { key: "query-secret" },
                     headers: { "X-Api-Key" => "header-secret", "Cookie" => "c=cookie-secret" } }, retry_limit: 1)
        expect(step.error["context"]["url"]).to eq(server.url("/a?token=…&page=…&key=…"))
        expect(step.error["context"]["body"]).to include("page=12")
        expect(step.to_h.inspect).to match(/500/)
        expect(JSON.generate(step.error)).not_to match(/url-secret|query-secret|header-secret|cookie-secret|hush/)
      end

      it "are not in what the objects show of themselves" do
        request = described_class::Request.new(url: "https://h.example/a?token=abcdef", headers: { "Cookie" => "c=1" })
        expect([request.inspect, request.to_s]).to all(satisfy { |shown| !shown.match?(/abcdef|c=1/) })
      end

      it "the beginning of a long body is kept, and no more" do
        step = ask({ url: serve { [400, {}, "é" * 100_000] }.url })
        expect(step.error["context"]["body"]).to eq("é" * 1000)
      end
    end

    describe "redirects" do
      def moving(status, to)
        serve { |asked| asked.path == "/" ? [status, { "Location" => to }, ""] : json([asked.verb, asked.body]) }
      end

      it "are followed where the config says so" do
        expect(ask({ url: moving(301, "/there?x=1").url("/"), redirects: 1 }).result).to eq(["GET", ""])
      end

      it "keep method and body with 307 and 308, and go on as a GET with 302 and 303" do
        { 307 => %w[POST 5], 308 => %w[POST 5], 302 => ["GET", ""], 303 => ["GET", ""] }.each do |status, seen|
          expect(ask({ url: moving(status, "there").url("/"), body: 5, redirects: 3 }).result).to eq(seen)
        end
      end

      it "end after as many as the config says" do
        server = serve { |asked| [302, { "Location" => "#{asked.path}x" }, ""] }
        step = ask({ url: server.url("/"), redirects: 4 })
        expect(step).to have_attributes(status: "error", attempts: 1)
        expect(server.asked.map(&:path)).to eq(%w[/ /x /xx /xxx /xxxx])
      end

      it "to another host go without the headers that may be secret" do
        other = serve { |asked| json(asked.headers) }
        ask = { url: moving(302, other.url("/there")).url("/"), redirects: 1,
                headers: { Authorization: "Bearer abc", "X-Key": "k", "Accept-Language": "de" } }
        headers = self.ask(ask).result
        expect(headers).to include("accept-language" => "de")
        expect(headers.keys).not_to include("authorization", "x-key", "idempotency-key")
      end

      it "to something that is no HTTP are not followed" do
        ["file:///etc/passwd", "http://[", "http://u:p@h.example/"].each do |location|
          step = ask({ url: moving(302, location).url("/"), redirects: 3 })
          expect(step).to have_attributes(status: "error", attempts: 1)
        end
      end
    end

    describe "TLS" do
      it "refuses a certificate that nobody vouches for, and tries again" do
        server = serve(tls: self_signed("localhost")) { json("secret") }
        step = ask({ url: server.url("/", host: "localhost") })
        expect(step).to have_attributes(status: "error", attempts: 2)
        expect(step.error["message"]).to include("certificate verify failed")
        expect(server.asked).to eq([])
      end

      it "takes one that the machine's authorities vouch for, for its host only" do
        key, certificate = self_signed("localhost")
        server = serve(tls: [key, certificate]) { json("trusted") }
        Tempfile.create("ca") do |file|
          File.write(file.path, certificate.to_pem)
          program = <<~RUBY
            urls = #{[server.url("/", host: "localhost"), server.url("/")].inspect}
            handle = TaskerCore.open("sqlite::memory:")
            steps = urls.each_with_index.map do |url, n|
              { name: "s\#{n}", handler: TaskerCore::StepHandler::Http, retry_limit: 1, config: { url: url } }
            end
            handle.register({ name: "flow", steps: steps })
            task = handle.create_task("flow")
            handle.work(until: :idle, timeout: 20)
            puts task.reload.steps.map { |step| step.result || step.error["message"] }.to_json
          RUBY
          trusted, other = ask_program(program, env: { "SSL_CERT_FILE" => file.path })
          expect(trusted).to eq("trusted")
          expect(other).to match(/certificate|hostname/)
        end
      end
    end

    describe "in Ruby" do
      it "a subclass says what is asked and what is kept" do
        url = mirror.url("/charges")
        charge = Class.new(described_class) do
          define_method(:request) do |ctx|
            TaskerCore::StepHandler::Http::Request.new(url: url, json: { total: ctx.context["total"] }, timeout: 600)
          end

          def result(response) = response.value.slice("method", "body")
        end
        step = ask({}, handler: charge, context: { total: 42 })
        expect(step.result).to eq("method" => "POST", "body" => '{"total":42}')
        expect(mirror.asked.first.headers).to include("idempotency-key" => "#{step.task_id}/0")
      end

      it "any client is an object with call, which gets the request with its limits" do
        seen = Queue.new
        client = lambda do |request|
          seen << [request.method, request.url.to_s, request.timeout, request.body]
          described_class::Response.new(status: 200, headers: { "content-TYPE" => "application/json" }, body: "[1]")
        end
        step = ask({ url: "https://h.example/a", body: 1 }, handler: described_class.new(client: client), timeout: 10)
        expect(step.result).to eq([1])
        expect(seen.pop).to eq(["POST", "https://h.example/a", 9.0, "1"])
      end

      it "what a client raises is tried again, unless it says that it is permanent" do
        { IOError => 2, TaskerCore::PermanentError => 1 }.each do |raised, attempts|
          handler = described_class.new(client: ->(_) { raise raised, "lost" })
          step = ask({ url: "https://h.example/a?b=abcdefg" }, handler: handler)
          expect(step).to have_attributes(status: "error", attempts: attempts)
          expect(step.error["message"]).to include("lost")
        end
      end

      it "a client that gives no response is told so" do
        step = ask({ url: "https://h.example/" }, handler: described_class.new(client: ->(_) { "200 OK" }))
        expect(step.error).to include("class" => "TypeError", "message" => a_string_including("Response"))
      end

      it "a template names it as a constant" do
        file = Tempfile.new(["flow", ".yml"])
        file.write(<<~YAML)
          name: flow
          steps:
            - { name: ask, handler: "TaskerCore::StepHandler::Http", config: { url: "#{mirror.url("/{id}")}" } }
        YAML
        file.close
        handle.register(file.path)
        task = handle.create_task("flow", context: { id: 7 })
        handle.work(until: :idle, timeout: 20)
        expect(task.reload.step(:ask).result["target"]).to eq("/7")
      end
    end
  end
end
