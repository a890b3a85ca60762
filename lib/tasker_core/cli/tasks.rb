# frozen_string_literal: true

require_relative "database"
require_relative "moments"

module TaskerCore
  module CLI
    # What commands about tasks have in common: a database that is there, ids that may be shortened, and conditions.
    # A command that includes it may take {#declare_filter}'s options.
    #
    # @api private
    module Tasks
      ID = /\A\h{8}-\h{4}-\h{4}-\h{4}-\h{12}\z/
      # The start of an id: its first digits are a moment, so eight of them stand for about a minute.
      PREFIX = /\A\h{8}(-\h{0,4}(-\h{0,4}(-\h{0,4}(-\h{0,12})?)?)?)?\z/
      MOMENTS = { created_after: "created at this moment or later", created_before: "created earlier",
                  finished_after: "ended at this moment or later", finished_before: "ended earlier" }.freeze
      private_constant :ID, :PREFIX, :MOMENTS

      # Whether a word may be a task's id or the start of one.
      def self.id?(word) = word.match?(PREFIX)

      private

      # The engine on a database that is there already. What only looks must not make a new one.
      def existing_handle
        @existing_handle ||= begin
          load_program
          url = TaskerCore.configuration.database_url
          database = Database.new(url)
          raise database.error if database.state.nil?

          unless database.made? || database.memory?
            raise Failed, "#{Native.redacted_url(url)} holds no tasks: it is not the database, or nobody used it " \
                          "yet. --database names another; `tasker migrate` makes its tables"
          end
          TaskerCore.handle
        end
      end

      # @param word [String] an id, or its first eight digits or more
      # @return [Task]
      def find(word)
        return existing_handle.task(word.downcase) if !Tasks.id?(word) || word.match?(ID)

        found = starting_with(word.downcase)
        return found.first if found.size == 1
        raise Failed, "there is no task whose id begins with #{word}" if found.empty?

        raise Failed, "several tasks' ids begin with #{word}: #{found.map(&:id).join(", ")}#{" …" if found.size > 2}"
      end

      # Up to three tasks, by the primary key: ids sort by the time of their creation.
      def starting_with(prefix)
        last = prefix.ljust(36, "ffffffff-ffff-ffff-ffff-ffffffffffff"[prefix.size..])
        newest = existing_handle.tasks(before: last, limit: 3).to_a
        newest.select { |task| task.id.start_with?(prefix) }
      end

      def declare_filter(parser)
        parser.on("--status NAME,NAME", Array, "in one of these states") { |names| filter[:status] = names }
        { namespace: "NAME", name: "NAME", version: "VERSION", key: "KEY", tag: "WORD",
          annotation: "TYPE" }.each do |field, word|
          parser.on("--#{field} #{word}", "with this #{field == :name ? "template" : field}") do |value|
            filter[field] = value
          end
        end
        parser.on("--context PATH=JSON", "with this value in the context, at a path that its template declares",
                  "searchable: --context customer.id=7; may be given several times") { |pair| add_context(pair) }
        MOMENTS.each do |field, meaning|
          parser.on("--#{field.to_s.tr("_", "-")} WHEN", meaning) do |text|
            filter[field] = Moments.past(text, "--#{field.to_s.tr("_", "-")}")
          end
        end
      end

      def filter
        options[:filter] ||= {}
      end

      def add_context(pair)
        path, value = pair.split("=", 2)
        wrong("--context: expected PATH=VALUE, got #{pair.inspect}") unless value

        (filter[:context] ||= {})[path] = parsed(value)
      end

      # A value as JSON, or as text where it is none.
      def parsed(value)
        JSON.parse(value)
      rescue JSON::ParserError
        value
      end

      # A template that is called `name` or `namespace/name`.
      #
      # @return [Array(String, String)] the namespace, nil where none is said; the name
      def named(word)
        word.include?("/") ? word.split("/", 2) : [nil, word]
      end

      # The exit code of a task that was waited for.
      def outcome(task) = task.complete? || task.resolved_manually? ? 0 : FAILED

      # `1 task`, `2 tasks`.
      def tasks(count) = counted(count, "task")

      # Asks, on a terminal; elsewhere `--yes` has to be given.
      def confirm(question)
        return if options[:yes]

        wrong("#{question} Say so with --yes") unless terminal.person?(terminal.in) && terminal.person?(terminal.err)

        terminal.err.print("#{question} [y/N] ")
        answer = terminal.in.gets.to_s
        raise Failed, "nothing was done" unless answer.match?(/\Ay(es)?\s*\z/i)
      end
    end
  end
end
