# frozen_string_literal: true

require "time"
require_relative "../arenas"
require_relative "../pidfile"
require_relative "../service_manager"
require_relative "../signals"

module TaskerCore
  module CLI
    # `tasker work`: a process that runs steps until it is told to stop.
    #
    # @api private
    class Work < Command
      # Signals this close together are one, in seconds: timeout(1) sends its own twice.
      SAME = 0.5
      # How often it looks whether its worker runs, in seconds.
      LOOK = 1.0
      SIGNALS = %w[TERM INT TSTP CONT TTIN].freeze
      private_constant :SAME, :LOOK, :SIGNALS

      summary "Runs steps until it is told to stop"
      description <<~TEXT

        It runs what the program registers on the default handle (TaskerCore.register), and the program's named
        workflow classes. Signals:

          TERM, INT   claims nothing more, gives handlers --drain seconds to end, gives back what they still hold, ends
                      with 0; a second one ends it at once (what it holds runs elsewhere when its lease is over)
          TSTP, CONT  claims nothing more, what runs goes on; claims again
          TTIN        prints what its threads are at

        OPERATIONS.md tells more: systemd, probes, metrics, connections.
      TEXT
      example "tasker work -r app.rb --threads 10 --queues critical,default"
      example "tasker work -r /srv/shop --pid /run/shop.pid --probe-port 9394"

      def declare(parser)
        parser.on("-t", "--threads N", Integer, "how many steps it runs at once (default: 5)") do |number|
          options[:threads] = number
        end
        parser.on("-q", "--queues NAME,NAME", Array, "the queues whose steps it runs (default: all)") do |names|
          options[:queues] = names
        end
        parser.on("--drain SECONDS", Float, "what handlers have to end (default: 25)") do |span|
          options[:drain] = within(0..1_000_000_000, span, "--drain")
        end
        parser.on("--pid FILE", "keeps its number in this file, which one process at a time can have") do |path|
          options[:pid] = path
        end
        declare_probes(parser)
      end

      def call
        start
        Signals.listen(*SIGNALS) do |signals|
          service.tell("READY=1", "MAINPID=#{Process.pid}")
          announce
          attend(signals) && drain(signals)
        end
      ensure
        @pidfile&.remove
      end

      private

      def declare_probes(parser)
        parser.on("--probe-port PORT", Integer, "answers /livez, /readyz and /metrics there; 0 for any port") do |port|
          options[:probe_port] = within(0..65_535, port, "--probe-port")
        end
        parser.on("--probe-bind ADDRESS", "on this interface (default: 127.0.0.1)") { |at| options[:probe_bind] = at }
        parser.on("--probe-silence SECONDS", Float, "/livez fails when no Ruby thread ran for so long",
                  "(default: never)") { |span| options[:probe_silence] = span }
      end

      # Signals do what they always do while the program is loaded: then there is nothing to drain.
      def start
        Arenas.limit
        handle
        Program.register_workflows(handle)
        no_templates if handle.registry.keys.empty?
        @pidfile = Pidfile.new(options[:pid])
        serve_probes if options[:probe_port]
        @worker = handle.worker(threads: options[:threads], queues: options[:queues]).start
      end

      def serve_probes
        asked = { port: options[:probe_port], bind: options[:probe_bind], silence: options[:probe_silence] }
        @probes = handle.serve_probes(**asked)
      end

      def service = @service ||= ServiceManager.new

      def no_templates
        wrong("there is nothing to run: name a program with -r that registers templates on the default handle " \
              "(TaskerCore.register) or has workflow classes")
      end

      def announce
        queues = options[:queues] || TaskerCore.configuration.queues
        probes = @probes ? ", probes on #{@probes.address}" : ""
        templates = handle.registry.keys.size
        say("started", "#{counted(@worker.threads, "thread")} for #{counted(templates, "template")}, " \
                       "steps of #{queues&.join(", ") || "all queues"}#{probes}",
            threads: @worker.threads, probes: @probes&.address)
      end

      # Does what signals say until it is to stop; false when the worker ended by itself.
      def attend(signals)
        loop do
          service.keep_watch
          case (name = signals.wait([LOOK, service.every].compact.min))
          when nil then return ended unless @worker.running?
          when "TSTP" then quiet
          when "CONT" then resume
          when "TTIN" then tell_threads
          else return say("stopping", "#{name}: stopping, up to #{drain_time} s for what runs", signal: name) || true
          end
        end
      end

      def ended
        raise Failed, "the worker ended by itself: its handle was closed or has expired"
      end

      def quiet
        @worker.quiet
        say("quiet", "TSTP: claims nothing more until CONT")
      end

      def resume
        @worker.resume
        say("resumed", "CONT: claims again")
      end

      def tell_threads
        @worker.occupation.each do |thread, context|
          at = context ? "#{context.task_name} #{context.step_id}, attempt #{context.attempt}" : "idle"
          backtrace = context ? thread.backtrace.to_a : []
          say("thread", ["#{thread.name}: #{at}", *backtrace.map { |line| "    #{line}" }].join("\n"),
              thread: thread.name, step: context&.step_id, backtrace: backtrace)
        end
        say("stats", @worker.stats.map { |name, count| "#{name}: #{count}" }.join(", "), **@worker.stats)
      end

      # Stops the worker on a thread of its own, so that a second signal is heard.
      def drain(signals)
        service.tell("STOPPING=1")
        asked = Waiting.monotonic
        stopping = Thread.new { @worker.stop(timeout: options[:drain]) }
        stopping.report_on_exception = false
        while stopping.alive?
          name = signals.wait(0.1)
          service.keep_watch
          leave(name) if %w[TERM INT].include?(name) && Waiting.monotonic - asked > SAME
        end
        stopping.value
        say("stopped", "stopped", **@worker.stats)
        0
      end

      def drain_time = options[:drain] || TaskerCore.configuration.drain_timeout

      def leave(name)
        say("left", "#{name} again: ends at once")
        @pidfile.remove
        exit!(128 + Signal.list.fetch(name))
      end

      # One line for people, or one for programs.
      def say(event, text, **facts)
        if options[:json]
          terminal.json({ at: Time.now.utc.iso8601(3), pid: Process.pid, event: event, **facts.compact })
        else
          terminal.say("tasker[#{Process.pid}] #{text}")
        end
        terminal.out.flush
        nil
      end
    end
  end
end
