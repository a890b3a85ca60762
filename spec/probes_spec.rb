# frozen_string_literal: true

require "net/http"

RSpec.describe TaskerCore::Probes do
  each_database do
    let(:probes) { handle.serve_probes(port: 0) }

    def ask(path)
      answer = Net::HTTP.get_response(URI("http://#{probes.address}#{path}"))
      body = path == "/metrics" ? answer.body : JSON.parse(answer.body)
      [answer.code.to_i, body]
    end

    def register
      handle.register({ name: "mailing", namespace: "shop", steps: [
                        { name: "write", queue: "mail", retry_limit: 2, backoff: { kind: "none" } },
                        { name: "send", depends_on: ["write"] }
                      ] },
                      handlers: { write: ->(ctx) { ctx.attempt == 1 ? raise("no") : 1 }, send: ->(_ctx) { true } })
    end

    it "counts attempts by template, step and outcome, and what waits" do
      register
      3.times { handle.create_task("mailing", namespace: "shop") }
      expect(ask("/metrics").last).to match(/^tasker_ready_steps\{queue="mail"\} 3\.0$/)
      handle.work(until: :idle, threads: 2, timeout: 20)
      said = ask("/metrics").last
      of = ->(step, outcome) { said[/^tasker_steps_total\{.*step="#{step}",outcome="#{outcome}"\} (\d+)$/, 1].to_i }
      expect([of["write", "retry"], of["write", "complete"], of["send", "complete"]]).to eq([3, 3, 3])
      expect(of["send", "error"]).to eq(0)
      expect(said).to match(/^tasker_step_duration_seconds_count\{namespace="shop",.*step="write"\} 6$/)
      expect(said).to match(/^tasker_queue_latency_seconds_count\{queue="mail"\} 6$/)
      expect(said).to match(/^tasker_database_up 1\.0$/).and end_with("# EOF\n")
      expect(handle.metrics).to include('tasker_build_info{version="')
    end

    it "is ready while a worker claims, and says why it is not" do
      register
      expect(ask("/readyz")).to match([503, hash_including("because" => ["no worker runs in this process"])])
      worker = handle.worker(threads: 1).start
      eventually { ask("/readyz").first == 200 }
      worker.quiet
      expect(ask("/readyz")).to match([503, hash_including("because" => ["the worker is quiet"])])
      task = handle.create_task("mailing", namespace: "shop")
      expect { task.wait(timeout: 0.3) }.to raise_error(TaskerCore::TimeoutError)
      worker.resume
      expect(task.wait(timeout: 10).status).to eq("complete")
      expect(ask("/livez")).to match([200, hash_including("alive" => true, "pid" => Process.pid)])
    ensure
      worker&.stop
    end

    it "answers no more once it is stopped, or its handle closed" do
      refused = ->(port) { expect { TCPSocket.new("127.0.0.1", port).close }.to raise_error(Errno::ECONNREFUSED) }
      100.times { refused.call(handle.serve_probes(port: 0).stop.port) }
      10.times do
        other = open_handle
        port = other.serve_probes(port: 0).port
        other.close
        refused.call(port)
      end
      probes.stop
      expect { ask("/livez") }.to raise_error(Errno::ECONNREFUSED)
      expect { handle.serve_probes(port: 0, bind: "here") }
        .to raise_error(TaskerCore::ValidationError, /bind: is the address of an interface/)
      other = handle.serve_probes(port: 0)
      expect { handle.serve_probes(port: other.port) }
        .to raise_error(TaskerCore::ConfigurationError, /can't listen on 127\.0\.0\.1:#{other.port}/)
    end
  end
end
