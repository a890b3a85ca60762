# frozen_string_literal: true

module TaskerCore
  # Says over HTTP how this process is, for those who watch it: a load balancer, Kubernetes, Prometheus. The answers
  # come from the engine's own threads, so that they come also while a handler keeps Ruby's lock. See
  # {OrchestrationHandle#serve_probes}.
  #
  # * `GET /livez`: 200 while the process lives; `host_silent_seconds` is for how long no Ruby thread was heard of. 503
  #   when that is longer than it was allowed to be.
  # * `GET /readyz`: 200 while a worker of this process claims steps and the database answers; otherwise 503, and why.
  # * `GET /metrics`: {OrchestrationHandle#metrics}.
  class Probes
    # How often Ruby says that it runs, in seconds.
    BEAT = 1.0
    private_constant :BEAT

    # @api private
    def initialize(native)
      @native = native
      @pid = Process.pid
      @lock = Mutex.new
      @stopping = ConditionVariable.new
      @thread = Thread.new { beat }
    end

    # @return [String] where they are answered: `127.0.0.1:9394`
    def address = @native.address

    # @return [Integer] the port
    def port = @native.port

    # Answers no more: the port is free when it returns. Closing the handle does the same.
    #
    # @return [self]
    def stop
      return self unless @pid == Process.pid

      Waiting.await(@native.stop)
      @lock.synchronize { @stopping.broadcast }
      @thread.join
      self
    end

    # @return [String] one short line
    def inspect
      "#<TaskerCore::Probes #{address}>"
    end

    private

    # A thread like any other: when none of them gets to run, this one does not.
    def beat
      Thread.current.name = "tasker-probes"
      @lock.synchronize do
        until @native.stopped?
          @native.beat
          @stopping.wait(@lock, BEAT)
        end
      end
    end
  end
end
