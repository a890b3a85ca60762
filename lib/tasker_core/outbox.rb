# frozen_string_literal: true

require_relative "outbox/table"
require_relative "outbox/relay"

module TaskerCore
  # Tasks that are written into the application's own database, in its transaction: `create_task` with
  # `transactional: true` inserts one row into the table `tasker_outbox` with ActiveRecord's own connection. Whoever
  # commits the transaction has the row, and whoever has the row gets the task, once, under the row's id, whatever dies
  # in between.
  #
  # Where the application's database is the engine's, too (PostgreSQL), the engine's migration makes the table, and
  # every worker looks for rows with its poll, once a second. Elsewhere the application makes it with {create_table},
  # and each process with a worker has a thread that does the same ({relay}). Either way the process that wrote a row
  # has the task made as soon as the transaction is committed, and leaves it to the others when that fails.
  #
  # A row of which no task can be made, as when its key is taken or its template is gone, says why ({entries}) and is
  # tried again later and later, at most ten minutes apart; it does not stop the others.
  #
  # @example
  #   require "active_record"
  #   class AddTaskerOutbox < ActiveRecord::Migration[6.1]
  #     def up = TaskerCore::Outbox.create_table(connection)
  #     def down = drop_table(:tasker_outbox)
  #   end
  #
  #   ActiveRecord::Migration.verbose = false
  #   ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: "app.sqlite3")
  #   AddTaskerOutbox.new.migrate(:up)
  #   TaskerCore::Outbox.entries # => []
  module Outbox
    # A row that waits.
    #
    # @!attribute [r] id
    #   @return [String] the task's id to be
    # @!attribute [r] task
    #   @return [Hash{String => Object}, nil] what is asked for; nil where the row can't be read
    # @!attribute [r] created_at
    #   @return [Time]
    # @!attribute [r] attempts
    #   @return [Integer] how often it was tried in vain
    # @!attribute [r] error
    #   @return [String, nil] why, the last time
    Entry = Struct.new(:id, :task, :created_at, :attempts, :error, keyword_init: true)

    class << self
      # The class whose connection writes and reads the table, where the application has several databases.
      #
      # @return [Class<ActiveRecord::Base>] default: ActiveRecord::Base
      def record_class = @record_class || ::ActiveRecord::Base

      attr_writer :record_class

      # Makes the table in an application's database that is not the engine's own; does nothing where it is there.
      #
      # @param connection [ActiveRecord::ConnectionAdapters::AbstractAdapter] the migration's
      # @return [void]
      def create_table(connection) = Table.new(connection).create

      # The rows that wait, oldest first.
      #
      # @param limit [Integer] at most so many
      # @return [Array<Entry>]
      def entries(limit: 100)
        with_connection { |connection| Table.new(connection).entries(limit) }
      end

      # Makes tasks of all rows that are due, now. Workers do it by themselves; this is for whoever has none, such as a
      # program that cron runs.
      #
      # @param handle [OrchestrationHandle] default: the process's default handle
      # @return [Integer] how many tasks were made
      # @raise [DatabaseError] when the engine's database fails; an ActiveRecordError when the application's does
      def relay(handle = TaskerCore.handle)
        native = handle.native
        shared = with_connection { |connection| Table.new(connection).shared_with?(native) }
        shared ? Waiting.await(native.expand_outbox(nil)).size : Relay.new(native).pass
      end

      # Checks and writes tasks, and has them made after the commit.
      #
      # @api private
      # @return [Array<DeferredTask>]
      def write(handle, template, options, connections)
        connection = own_connection(connections)
        deferral = Deferral.new(handle, template, options)
        return [] if deferral.tasks.empty?

        table = Table.new(connection)
        table.write(deferral.prepared)
        connections.include?(connection) ? after_commit(connection, deferral, table) : expand(deferral, table)
        deferral.tasks
      end

      # @api private
      def with_connection(&) = record_class.connection_pool.with_connection(&)

      private

      # The row is of use in the transaction that is open, and nowhere else.
      def own_connection(open)
        own = record_class.respond_to?(:lease_connection) ? record_class.lease_connection : record_class.connection
        return own if open.empty? || open.include?(own)

        raise ConfigurationError,
              "transactional: the transaction that is open is not one of #{record_class}'s database, which has the " \
              "outbox; TaskerCore::Outbox.record_class says whose it is"
      end

      def after_commit(connection, deferral, table)
        CommitWatch.new([connection]) { |committed, *| committed ? expand(deferral, table) : deferral.dropped }
      end

      # What fails here is done by a worker, or by a relay.
      def expand(deferral, table)
        deferral.tasks.each(&:written)
        made = table.shared_with?(deferral.handle.native) ? expand_there(deferral) : expand_here(deferral, table)
        deferral.tasks.each { |task| task.created(made[task.id]) if made[task.id] }
      rescue Error, ::ActiveRecord::ActiveRecordError => e
        Reporter.current.log(Logger::WARN) { "left in the outbox for now: #{deferral}: #{e.message}" }
      end

      # @return [Hash{String => String}] tasks by rows
      def expand_there(deferral) = Waiting.await(deferral.handle.native.expand_outbox(deferral.prepared.ids))

      def expand_here(deferral, table)
        native = deferral.handle.native
        ids = deferral.prepared.ids
        made = Waiting.await(native.create_prepared(deferral.prepared))
        table.delete(ids)
        ids.zip(made).to_h
      rescue DuplicateTaskError
        # The row is to say so, and one taken key does not stop the other tasks.
        Relay.new(native).rows(table, ids)
      end
    end
  end
end
