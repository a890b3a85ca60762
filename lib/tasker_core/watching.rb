# frozen_string_literal: true

module TaskerCore
  # What those ask of a handle who watch the process from outside. {OrchestrationHandle} has these methods.
  module Watching
    # Answers probes over HTTP ({Probes}) until the handle is closed. `tasker work --probe-port` does this.
    #
    # @param port [Integer] 0 for any that is free
    # @param bind [String, nil] the address of the interface to listen on. Default: `127.0.0.1`, which only this machine
    #   reaches; in a container `0.0.0.0`. The answers name templates, steps and queues, and nobody is asked who they
    #   are
    # @param silence [Numeric, nil] seconds for which no Ruby thread got to run after which `/livez` answers 503; nil
    #   for never
    # @return [Probes]
    # @raise [ValidationError] when an option is wrong
    # @raise [ConfigurationError] when it can't listen there
    # @raise [HandleExpiredError, HandleClosedError, DatabaseError]
    # @example
    #   require "net/http"
    #   handle = TaskerCore.open("sqlite::memory:")
    #   probes = handle.serve_probes(port: 0)
    #   Net::HTTP.get_response(URI("http://#{probes.address}/livez")).code # => "200"
    #   probes.stop
    def serve_probes(port:, bind: nil, silence: nil)
      asked = { port: port, bind: bind, silence: Seconds.parse(silence, "silence") }
      Probes.new(Waiting.await(@native.serve_probes(asked)))
    end

    # The metrics of this process as text, in the form of OpenMetrics, which Prometheus reads: attempts by template,
    # step and outcome, their durations, how long steps were ready before a thread took them, what waits in the
    # database by queue, lost leases, threads, connections. `/metrics` of {#serve_probes} gives the same.
    # OPERATIONS.md lists all of them.
    #
    # @return [String]
    # @raise [HandleExpiredError, HandleClosedError, DatabaseError]
    # @example For an app that has an address for metrics already
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.metrics.include?("tasker_database_up 1.0") # => true
    def metrics
      Waiting.await(@native.metrics)
    end
  end
end
