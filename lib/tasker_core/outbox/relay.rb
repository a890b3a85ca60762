# frozen_string_literal: true

module TaskerCore
  module Outbox
    # Makes tasks of rows in a database that the engine can't read. Creating a task under a row's id twice comes to the
    # same, so relays of several processes need not know of one another, and may die at any place.
    #
    # @api private
    class Relay
      BATCH = 100
      # Seconds between two looks.
      PAUSE = 1
      # How many of them pass until the table is looked for again where there was none.
      TURNS = 30
      private_constant :BATCH, :PAUSE, :TURNS

      # Has a thread look for rows while a worker works.
      def self.start(worker, native)
        thread = Thread.new { new(native).run_beside(worker) }
        thread.name = "tasker_core outbox"
        thread.report_on_exception = false
      end

      # @param native [Native::Handle] the engine's
      def initialize(native)
        @native = native
      end

      # @return [Integer] how many tasks were made
      def pass
        Outbox.with_connection do |connection|
          table = Table.new(connection)
          made = 0
          loop do
            rows = table.due(BATCH)
            made += rows.count { |row| expand(table, *row) }
            break made if rows.size < BATCH
          end
        end
      end

      # Makes tasks of these rows, due or not.
      #
      # @return [Hash{String => String}] tasks by rows, of those of which one was made
      def rows(table, ids) = table.these(ids).to_h { |row| [row.first, expand(table, *row)] }.compact

      def run_beside(worker)
        0.step do |turn|
          break if worker.over?

          look(turn)
          sleep(PAUSE)
        end
      rescue HandleClosedError, HandleExpiredError
        nil
      end

      private

      # A failure of either database is over some time.
      def look(turn)
        @concerned = concerned? if @concerned || (turn % TURNS).zero?
        pass if @concerned
      rescue HandleClosedError, HandleExpiredError
        raise
      rescue Error, ::ActiveRecord::ActiveRecordError => e
        Reporter.current.log(Logger::WARN) { "the outbox could not be read: #{e.message}" }
      end

      # Whether the application has an outbox that no engine reads itself.
      def concerned?
        Outbox.with_connection do |connection|
          table = Table.new(connection)
          table.there? && !table.shared_with?(@native)
        end
      rescue ::ActiveRecord::ConnectionNotEstablished
        false
      end

      # A row is deleted when its task is there.
      #
      # @return [String, nil] the task
      def expand(table, id, text, attempts)
        task = Waiting.await(@native.create_from_outbox(id, text))
        table.delete([id])
        task
      rescue ValidationError, NotFoundError, DuplicateTaskError, ConfigurationError => e
        table.refuse_row(id, attempts.to_i, e.message)
        Reporter.current.log(Logger::WARN) { "the task #{id} can't be made of its row in the outbox: #{e.message}" }
        nil
      end
    end
  end
end
