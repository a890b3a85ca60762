# frozen_string_literal: true

require "json"
require "time"

module TaskerCore
  module Outbox
    # The table on one connection of ActiveRecord's.
    #
    # @api private
    class Table
      NAME = "tasker_outbox"
      # As the engine asks, on a connection of its own: what it hears is the same where the table is.
      PLACE = <<~SQL
        SELECT concat_ws('/', (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, d.oid,
                         to_regclass('tasker_outbox')::oid)
        FROM pg_database AS d WHERE d.datname = current_database()
      SQL
      private_constant :PLACE

      # What was found out about a pool or an engine's handle, so that it isn't asked again.
      module Known
        MOST = 100
        @facts = {}.compare_by_identity
        @lock = Mutex.new

        module_function

        # @return [Object] what the block found out; nil and false are asked again
        def fetch(about, what)
          found = @facts[about]&.fetch(what, nil)
          return found if found

          found = yield
          @lock.synchronize { keep(about, what, found) } if found
          found
        end

        def keep(about, what, found)
          @facts.clear if @facts.size >= MOST
          @facts[about] = { **@facts.fetch(about, {}), what => found }
        end
        private_class_method :keep
      end
      private_constant :Known

      def initialize(connection)
        @connection = connection
      end

      def create
        return if @connection.table_exists?(NAME)

        @connection.create_table(NAME, id: false) { |table| columns(table) }
      end

      # @param prepared [Native::Prepared]
      # @raise [ConfigurationError] when there is no table
      def write(prepared)
        refuse unless there?
        rows = prepared.ids.zip(prepared.letters)
        rows.each_slice(100) do |some|
          values = some.map { |id, letter| "(#{quote(id)}, #{quote(letter)}, CURRENT_TIMESTAMP)" }
          run("INSERT INTO #{NAME} (id, task, created_at) VALUES #{values.join(", ")}")
        end
      end

      def delete(ids) = run("DELETE FROM #{NAME} WHERE id IN (#{quoted(ids)})")

      # @return [Array<Array(String, String, Integer)>] id, text and attempts of rows that are due, oldest first
      def due(limit)
        now = quote(@connection.quoted_date(Time.now.utc))
        rows("SELECT id, task, attempts FROM #{NAME} WHERE due_at IS NULL OR due_at <= #{now} " \
             "ORDER BY id LIMIT #{Integer(limit)}")
      end

      # @return [Array<Array(String, String, Integer)>] those of these rows that are there
      def these(ids)
        rows("SELECT id, task, attempts FROM #{NAME} WHERE id IN (#{quoted(ids)}) ORDER BY id")
      end

      def refuse_row(id, attempts, error)
        due = quote(@connection.quoted_date(Time.now.utc + [2**[attempts, 20].min, 600].min))
        run("UPDATE #{NAME} SET attempts = attempts + 1, error = #{quote(error[0, 2_000].delete("\0"))}, " \
            "due_at = #{due} WHERE id = #{quote(id)}")
      end

      # @return [Array<Entry>]
      def entries(limit)
        found = rows("SELECT id, task, created_at, attempts, error FROM #{NAME} ORDER BY id LIMIT #{Integer(limit)}")
        found.map do |id, task, at, attempts, error|
          Entry.new(id: id, task: parsed(task), created_at: time(at), attempts: attempts.to_i, error: error).freeze
        end
      end

      # Whether the connection's database has the table.
      def there? = Known.fetch(@connection.pool, :there) { @connection.table_exists?(NAME) }

      # Whether the table is the one that the engine of this handle reads itself.
      #
      # @param native [Native::Handle]
      def shared_with?(native)
        return false unless @connection.adapter_name.match?(/\Apost/i) && there?

        place = Known.fetch(@connection.pool, :place) { @connection.select_value(PLACE) }
        place == Known.fetch(native, :place) { Waiting.await(native.outbox_place) }
      end

      private

      def columns(table)
        long = @connection.adapter_name.match?(/mysql|trilogy/i) ? { limit: (1 << 32) - 1 } : {}
        table.string :id, limit: 36, null: false, primary_key: true
        table.text :task, null: false, **long
        # No default: not every schema.rb can say that it is the time.
        table.datetime :created_at, precision: nil, null: false
        table.datetime :due_at, precision: nil
        table.integer :attempts, null: false, default: 0
        table.text :error
      end

      def quote(value) = @connection.quote(value)

      def quoted(ids) = ids.map { |id| quote(id) }.join(", ")

      def run(sql) = @connection.update(sql, "TaskerCore outbox")

      def rows(sql) = @connection.select_rows(sql, "TaskerCore outbox")

      def parsed(task)
        JSON.parse(task)
      rescue JSON::ParserError
        nil
      end

      # What a row holds is UTC, and some drivers say so with no zone.
      def time(value)
        value.is_a?(String) ? Time.parse("#{value} UTC") : value.getutc
      end

      def refuse
        raise ConfigurationError,
              "transactional: the database of #{Outbox.record_class} has no table #{NAME}: make it in a migration, " \
              "with TaskerCore::Outbox.create_table(connection)"
      end
    end
  end
end
