# frozen_string_literal: true

require_relative "../plain"
require_relative "../tasks"
require_relative "../watching"

module TaskerCore
  module CLI
    # `tasker run`: creates a task.
    #
    # @api private
    class Run < Command
      include Tasks

      summary "Creates a task, and waits for it if it is asked to"
      description <<~TEXT

        TEMPLATE is a name, or namespace/name: of the program (-r) or of the database. Workers run its steps (`tasker
        work`), or this process does with --work. The id comes on standard output. With --wait or --work the exit code
        is 0 when the task is complete, 1 when it ended otherwise or the time was over.
      TEXT
      example "tasker run orders/fulfil_order --context '{\"order_id\": 7}' --wait 60s"
      example "tasker run import --context @import.json --key import-7 --by ada"
      example "tasker run greet -r app.rb --work"

      CREATION = { namespace: "the template's namespace (default: default)", version: "its version (default: highest)",
                   key: "what makes it the same task as another one of its template", queue: "whose workers run it",
                   reason: "why" }.freeze
      private_constant :CREATION

      def declare(parser)
        parser.on("-c", "--context JSON|@FILE|-",
                  "its input: a JSON object, a file of one, or - for standard input") do |text|
          options[:context] = text
        end
        parser.on("--wait [SPAN]", "waits until it has ended, at most that long: 90s, 30m, 2h") do |text|
          options[:wait] = true
          options[:timeout] = Moments.span(text, "--wait") if text
        end
        parser.on("--work", "runs its steps in this process, and whatever else is ready") { options[:work] = true }
        declare_creation(parser)
      end

      def call(template)
        wrong("takes --wait or --work, not both") if options[:wait] && options[:work]
        Program.register_workflows(handle) if load_program
        task = create(template)
        return tell(task) unless options[:wait] || options[:work]

        ended = run_to_end(task)
        tell(ended)
        outcome(ended)
      end

      private

      def declare_creation(parser)
        CREATION.each { |field, meaning| parser.on("--#{field} VALUE", meaning) { |value| creation[field] = value } }
        parser.on("--by NAME", "who asks for it") { |name| creation[:initiator] = name }
        parser.on("--tag WORD", "a word to find it by; may be given several times") do |tag|
          (creation[:tags] ||= []) << tag
        end
        parser.on("--priority N", Integer, "higher goes first (default: 0)") { |number| creation[:priority] = number }
        parser.on("--run-at MOMENT", "not before: 2026-01-31T12:00:00Z") { |moment| creation[:run_at] = moment }
        parser.on("--existing", "with --key: the task that has the key, if there is one") do
          creation[:on_duplicate] = :return
        end
      end

      def creation
        options[:creation] ||= {}
      end

      def create(word)
        namespace, name = named(word)
        creation[:namespace] = namespace if namespace
        handle.create_task(name, context: context, **creation)
      end

      def context
        return {} unless options[:context]

        value = JSON.parse(text(options[:context]))
        value.is_a?(Hash) ? value : wrong("--context: expected a JSON object, got #{Native.shown(value)}")
      rescue JSON::ParserError => e
        wrong("--context is no JSON: #{e.message.sub(/\A\d+: /, "")[0, 80]}")
      end

      def text(given)
        text = case given
               when "-" then terminal.in.read
               when /\A@/ then File.read(given[1..])
               else given
               end
        text = text.dup.force_encoding(Encoding::UTF_8)
        text.valid_encoding? ? text : wrong("--context is no text in UTF-8")
      rescue SystemCallError => e
        wrong("--context: #{e.message}")
      end

      def run_to_end(task)
        terminal.hint(task.id) unless options[:json]
        options[:work] ? work(task) : wait(task)
      end

      def work(task)
        summary = handle.work(until: :idle, timeout: options[:timeout])
        terminal.hint("#{counted(summary.ran, "step")} ran, #{summary.failed} of them failed")
        task.reload
      ensure
        # It is no worker any more: now, and not when its lease is over.
        OrchestrationManager.instance.close
      end

      def wait(task)
        if handle.performance.system_health.workers.zero?
          terminal.hint("no worker is running: `tasker work` starts one, or use --work instead of --wait")
        end
        Watching.new(terminal, handle, interval: 0.2, stream: terminal.err).follow(task, timeout: options[:timeout])
      end

      def tell(task)
        return terminal.json(task.as_json) if options[:json]

        error = task.error
        terminal.hint("#{error["step"]}: #{Plain.error(error)}") if error
        terminal.say(task.ended? ? "#{task.id} #{States.shown(terminal, task.status)}" : task.id)
      end
    end
  end
end
