# frozen_string_literal: true

require_relative "../database"

module TaskerCore
  module CLI
    # `tasker migrate`: makes the tables, or brings them up to date.
    #
    # @api private
    class Migrate < Command
      summary "Makes the tables, or brings them up to date"
      description <<~TEXT

        Whoever opens a database does this too; here it happens when it is wanted, before a deploy say. Processes of the
        version before work on meanwhile. With --check nothing is changed, and the exit code is 1 when something would be.
      TEXT
      example "tasker migrate --database postgres://localhost/shop"

      def declare(parser)
        parser.on("--check", "only tells whether there is anything to do") { options[:check] = true }
      end

      def call
        load_program
        url = TaskerCore.configuration.database_url
        before = Database.new(url)
        raise before.error if before.state.nil?

        before.refuse_newer
        return tell(before, before.state[:schema]) if before.current?
        return tell(before, nil, FAILED) if options[:check]

        TaskerCore.open(url).close
        tell(before, Database.new(url).state[:schema])
      end

      private

      def tell(before, after, code = 0)
        from = before.state[:schema]
        record = { from: from, to: after || before.state[:newest_schema], changed: !after.nil? && after != from }
        options[:json] ? terminal.json(record) : terminal.say(words(record, after))
        code
      end

      def words(record, after)
        from = record[:from] || "none"
        return "schema #{from}, to be migrated to #{record[:to]}" if after.nil?

        record[:changed] ? "schema #{from} -> #{record[:to]}" : "schema #{from}, up to date"
      end
    end
  end
end
