# frozen_string_literal: true

require_relative "../signals"

module TaskerCore
  module CLI
    # `tasker work`: a process that runs steps until it is told to stop.
    #
    # @api private
    class Work < Command
      # Signals this close together are one, in seconds: timeout(1) sends its own twice.
      SAME = 0.5
      private_constant :SAME

      summary "Runs steps until it is told to stop"
      description <<~TEXT

        It runs what the program registers on the default handle (TaskerCore.register), and the program's named
        workflow classes. Signals:

          TERM, INT   claims nothing more, gives handlers --drain seconds to end, gives back what they still hold, ends;
                      a second one ends it at once (what it holds runs elsewhere when its lease is over)
      TEXT
      example "tasker work -r app.rb --threads 10 --queues critical,default"
      example "tasker work -r /srv/shop"

      def declare(parser)
        parser.on("-t", "--threads N", Integer, "how many steps it runs at once (default: 5)") do |number|
          options[:threads] = number
        end
        parser.on("-q", "--queues NAME,NAME", Array, "the queues whose steps it runs (default: all)") do |names|
          options[:queues] = names
        end
        parser.on("--drain SECONDS", Float, "what handlers have to end (default: 25)") do |seconds|
          options[:drain] = seconds
        end
      end

      def call
        Signals.listen(*%w[TERM INT]) do |signals|
          worker = start
          say("#{worker.threads} threads for #{handle.registry.keys.size} templates; pid #{Process.pid}")
          name = signals.wait
          say("#{name}: stopping")
          drain(worker, signals)
        end
      end

      private

      def start
        handle
        Program.register_workflows(handle)
        no_templates if handle.registry.keys.empty?
        handle.worker(threads: options[:threads], queues: options[:queues]).start
      end

      def no_templates
        wrong("there is nothing to run: name a program with -r that registers templates on the default handle " \
              "(TaskerCore.register) or has workflow classes")
      end

      # Stops the worker on a thread of its own, so that a second signal is heard.
      def drain(worker, signals)
        stopping = Thread.new { worker.stop(timeout: options[:drain]) }
        stopping.report_on_exception = false
        asked = Waiting.monotonic
        while stopping.alive?
          name = signals.wait(0.1)
          exit!(128 + Signal.list.fetch(name)) if name && Waiting.monotonic - asked > SAME
        end
        stopping.value
        say("stopped")
        0
      end

      def say(line)
        terminal.say(line)
        terminal.out.flush
      end
    end
  end
end
