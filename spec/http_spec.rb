# frozen_string_literal: true

require "zlib"

RSpec.describe TaskerCore::StepHandler::Http do
  def ask_at(server) = ask({ url: server.url })

  # For how many seconds the step waits for its second attempt.
  def waiting(server, **config)
    step = { name: "ask", handler: described_class, config: { url: server.url, **config } }
    handle.register({ name: "flow", steps: [step] })
    task = handle.create_task("flow")
    worker = handle.worker(threads: 1).start
    step = eventually { (found = task.step(:ask)).status == "waiting_for_retry" && found }
    worker.stop
    step.next_retry_at - Time.now
  end

  each_database do
    describe "a status" do
      [400, 401, 402, 403, 404, 409, 410, 418, 422, 300].each do |status|
        it "#{status} is permanent" do
          step = ask_at(serve { [status, {}, "no"] })
          expect(step).to have_attributes(status: "error", attempts: 1)
          expect(step.error).to include("error_code" => "http_#{status}", "class" => "TaskerCore::PermanentError")
          expect(step.error["context"]).to include("status" => status, "body" => "no", "method" => "GET")
        end
      end

      [408, 425, 429, 500, 502, 503, 504, 599].each do |status|
        it "#{status} is tried again" do
          answers = [[status, {}, "busy"], json({ ok: true })]
          step = ask_at(serve { answers.shift })
          expect(step).to have_attributes(result: { "ok" => true }, attempts: 2)
        end
      end

      it "is kept when no attempt is left" do
        step = ask_at(serve { [503, {}, "overloaded"] })
        expect(step).to have_attributes(status: "error", attempts: 2)
        expect(step.error).to include("message" => a_string_including("503"), "class" => "TaskerCore::RetryableError")
        expect(step.error["context"]).to include("status" => 503, "body" => "overloaded")
      end

      it "is a success where the config says so" do
        server = serve { |asked| [asked.path[/\d+/].to_i, {}, ""] }
        { 404 => [200, 404], 302 => %w[3xx], 204 => "2xx" }.each do |status, success|
          step = ask({ url: server.url("/#{status}"), success: success })
          expect(step).to have_attributes(status: "complete", attempts: 1)
        end
      end

      it "is tried again where the config says so" do
        answers = [[409, {}, ""], [200, {}, "done"]]
        step = ask({ url: serve { answers.shift }.url, retry_on: [409] })
        expect(step).to have_attributes(result: "done", attempts: 2)
      end

      it "that is a redirect is permanent, and not followed" do
        server = serve { [302, { "Location" => "/elsewhere" }, ""] }
        expect(ask_at(server)).to have_attributes(status: "error", attempts: 1)
        expect(server.asked.size).to eq(1)
      end
    end

    describe "Retry-After" do
      it "is taken in seconds" do
        server = serve { [503, { "Retry-After" => "120" }, ""] }
        expect(waiting(server)).to be_within(20).of(120)
      end

      it "is taken as an HTTP date, by the server's clock" do
        clock = Time.now + 86_400
        headers = { "Date" => clock.httpdate, "Retry-After" => (clock + 200).httpdate }
        expect(waiting(serve { [429, headers, ""] })).to be_within(20).of(200)
      end

      it "is taken as an HTTP date where the server tells no time" do
        server = serve { [429, { "Retry-After" => (Time.now + 200).httpdate }, ""] }
        expect(waiting(server)).to be_within(20).of(200)
      end

      it "is taken in the older forms of a date" do
        at = (Time.now + 200).utc
        forms = [at.strftime("%A, %d-%b-%y %H:%M:%S GMT"), at.strftime("%a %b %e %H:%M:%S %Y")]
        forms.each { |form| expect(waiting(serve { [503, { "Retry-After" => form }, ""] })).to be_within(20).of(200) }
      end

      it "is honoured up to the cap" do
        expect(waiting(serve { [503, { "Retry-After" => "999999999999" }, ""] })).to be_within(20).of(3600)
      end

      it "is honoured up to the config's cap" do
        server = serve { [503, { "Retry-After" => (Time.now + 86_400).httpdate }, ""] }
        expect(waiting(server, retry_after_cap: 300)).to be_within(20).of(300)
      end

      it "that lies in the past is now" do
        answers = [[503, { "Retry-After" => "Sun, 06 Nov 1994 08:49:37 GMT" }, ""], [200, {}, "now"]]
        step = ask({ url: serve { answers.shift }.url }, backoff: { kind: "linear", base: 500 })
        expect(step.result).to eq("now")
      end

      it "that makes no sense leaves the wait to the step's backoff" do
        ["soon", "-5", "1.5", "2026-13-45", "", "Mon, 99 Foo 2026 00:00:00 GMT"].each do |text|
          answers = [[503, { "Retry-After" => text }, ""], [200, {}, "later"]]
          expect(ask_at(serve { answers.shift })).to have_attributes(result: "later", attempts: 2)
        end
      end
    end

    describe "a connection" do
      it "that is refused is tried again, and the error says where to" do
        port = free_port
        step = ask({ url: "http://127.0.0.1:#{port}/carts" })
        expect(step).to have_attributes(status: "error", attempts: 2)
        expect(step.error["message"]).to include("http://127.0.0.1:#{port}/carts", "ECONNREFUSED")
        expect(step.error["context"]).to eq("method" => "GET", "url" => "http://127.0.0.1:#{port}/carts",
                                            "error" => "Errno::ECONNREFUSED")
      end

      it "that is reset in the middle of an answer is tried again" do
        first = true
        server = serve do |_, socket|
          next [200, {}, "whole"] unless first

          first = false
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
          Support::LoopbackServer.reset(socket)
        end
        expect(ask_at(server)).to have_attributes(result: "whole", attempts: 2)
      end

      it "that ends before the whole answer came is tried again" do
        server = serve { |_, socket| socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") && nil }
        expect(ask_at(server)).to have_attributes(status: "error", attempts: 2)
      end

      it "on which something else than HTTP is spoken is tried again" do
        server = serve { |_, socket| socket.write("220 mail.example ESMTP\r\n") && nil }
        expect(ask_at(server)).to have_attributes(status: "error", attempts: 2)
      end

      it "to a host without an address is tried again" do
        expect(ask({ url: "http://no-such-host.invalid/" })).to have_attributes(status: "error", attempts: 2)
      end

      it "is given up when the server is silent for longer than the timeout" do
        server = serve { gate.wait && nil }
        step = nil
        expect(seconds { step = ask({ url: server.url, timeout: 0.2 }, retry_limit: 1) }).to be < 10
        expect(step.error["context"]["error"]).to match(/Timeout/)
      end

      it "is given up when the server sends a byte now and then" do
        server = serve do |_, socket|
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
          loop { socket.write(".") && gate.wait(within: 0.05) }
        end
        step = nil
        expect(seconds { step = ask({ url: server.url, timeout: 0.5 }, retry_limit: 1) }).to be < 10
        expect(step.error).to include("message" => a_string_including("longer than 0.5 s"))
      end

      it "is given up before the step's own time is over" do
        server = serve { gate.wait && nil }
        step = ask({ url: server.url, timeout: 300 }, retry_limit: 1, timeout: 1)
        expect(step.error["message"]).to include("got no answer", "0.9 s")
      end

      it "is used again by the same thread" do
        server = serve { |asked| [200, {}, asked.path] }
        flow = workflow do
          %w[a b c].each { |name| step(name, TaskerCore::StepHandler::Http, config: { url: server.url("/#{name}") }) }
        end
        expect(run_task(flow, threads: 1).steps.map(&:result)).to eq(%w[/a /b /c])
        expect(server.connections.size).to eq(1)
      end

      it "is not used again after an answer that was given up" do
        server = serve do |asked, socket|
          next [200, {}, "fresh"] if asked.path == "/b"

          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstale")
          gate.wait && nil
        end
        flow = workflow do
          step(:a, TaskerCore::StepHandler::Http, retry_limit: 1, on_failure: "skip",
                                                  config: { url: server.url("/a"), timeout: 0.2 })
          step(:b, TaskerCore::StepHandler::Http, depends_on: :a, config: { url: server.url("/b") })
        end
        expect(run_task(flow, threads: 1).step(:b).result).to eq("fresh")
      end
    end

    describe "an answer" do
      it "that is larger than it may be is permanent" do
        sent = 0
        server = serve do |_, socket|
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
          loop { sent += socket.write("x" * 65_536) }
        end
        step = ask({ url: server.url, max_body: 200_000 })
        expect(step).to have_attributes(status: "error", attempts: 1)
        expect(step.error).to include("error_code" => "body_too_large", "message" => a_string_including("200000"))
        expect(sent).to be < 100_000_000
      end

      it "that is no success is judged by its status, however large it is" do
        answers = [[503, {}, "busy" * 1000], [200, {}, "done"], [404, {}, "lost" * 1000]]
        server = serve { answers.shift }
        expect(ask({ url: server.url, max_body: 100 })).to have_attributes(result: "done", attempts: 2)
        expect(ask({ url: server.url, max_body: 100 }).error).to include("error_code" => "http_404")
      end

      it "that unpacks to more than it may be is permanent" do
        packed = Zlib.gzip("0" * 5_000_000)
        server = serve { [200, { "Content-Encoding" => "gzip" }, packed] }
        expect(ask({ url: server.url }).error).to include("error_code" => "body_too_large")
      end

      it "that is packed is unpacked" do
        server = serve { [200, { "Content-Encoding" => "gzip", "Content-Type" => "text/plain" }, Zlib.gzip("hello")] }
        expect(ask_at(server).result).to eq("hello")
      end

      it "that is no JSON though it says so is tried again, and its beginning is kept" do
        server = serve { [200, { "Content-Type" => "application/json" }, "<html>oops"] }
        step = ask_at(server)
        expect(step).to have_attributes(status: "error", attempts: 2)
        expect(step.error).to include("message" => a_string_including("JSON"))
        expect(step.error["context"]).to include("status" => 200, "body" => "<html>oops")
      end

      it "is parsed where it is JSON, of whatever kind" do
        { "application/json; charset=utf-8" => '{"a":[1,2.5,null]}', "application/problem+json" => "[]",
          "Application/JSON" => '"text"' }.each do |type, body|
          step = ask_at(serve { [200, { "Content-Type" => type }, body] })
          expect(step.result).to eq(JSON.parse(body))
        end
      end

      it "is text where it isn't JSON, in UTF-8 whatever it was sent in" do
        latin = "Grüße".encode(Encoding::ISO_8859_1)
        server = serve { [200, { "Content-Type" => "text/plain; charset=ISO-8859-1" }, latin] }
        expect(ask_at(server).result).to eq("Grüße")
      end

      it "that is in no encoding is tried again" do
        server = serve { [200, { "Content-Type" => "text/plain" }, "\xFF\x00"] }
        step = ask_at(server)
        expect(step).to have_attributes(status: "error", attempts: 2)
        expect(step.error["context"]["body"]).to eq("\uFFFD\uFFFD")
      end

      it "without a body is nil" do
        expect(ask_at(serve { [204, {}, ""] })).to have_attributes(status: "complete", result: nil)
      end

      it "gives status, headers and body where the config says so, without headers that carry secrets" do
        server = serve { json({ id: 7 }, status: 201, Location: "/carts/7", "Set-Cookie": "session=abc") }
        result = ask({ url: server.url, result: %w[status headers body] }).result
        expect(result).to include("status" => 201, "body" => { "id" => 7 })
        expect(result["headers"]).to include("location" => "/carts/7")
        expect(result["headers"].keys).not_to include("set-cookie")
      end
    end
  end
end
