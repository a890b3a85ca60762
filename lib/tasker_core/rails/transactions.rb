# frozen_string_literal: true

module TaskerCore
  module RailsApp
    # Finds the transactions that a handler opened and left open, and undoes them: its connection must not take them to
    # whoever has it next.
    #
    # @api private
    class Transactions
      # @return [Transactions] what is open in this thread now
      def initialize
        @before = here.to_h.transform_values(&:open_transactions)
        @raw = here.select { |_, connection| begun?(connection) }.map(&:first)
      end

      # Undoes what was opened since.
      #
      # @return [Array<String>] the databases in which that was so
      def undo
        here.select { |pool, connection| undo_in(pool, connection) }.map { |pool, _| name_of(pool) }
      end

      private

      # The connections that this thread has.
      def here
        return [] unless defined?(::ActiveRecord::Base)

        pools.filter_map do |pool|
          connection = pool.active_connection?
          [pool, connection] if connection
        end
      end

      def pools
        handler = ::ActiveRecord::Base.connection_handler
        return handler.all_connection_pools if ::ActiveRecord.gem_version < Gem::Version.new("7.1")

        handler.connection_pool_list(:all)
      end

      def undo_in(pool, connection)
        found = connection.open_transactions > @before.fetch(pool, 0)
        connection.rollback_transaction while connection.open_transactions > @before.fetch(pool, 0)
        # BEGIN was sent as SQL: of that ActiveRecord knows nothing.
        return found unless !@raw.include?(pool) && begun?(connection)

        connection.throw_away!
        true
      end

      # Asks the driver; what ActiveRecord has for that makes it begin transactions earlier than needed from then on.
      def begun?(connection)
        driver = connection.instance_variable_get(:@raw_connection) || connection.instance_variable_get(:@connection)
        return !driver.transaction_status.zero? if driver.respond_to?(:transaction_status)

        driver.respond_to?(:transaction_active?) && driver.transaction_active?
      end

      def name_of(pool)
        pool.respond_to?(:db_config) ? pool.db_config.name : "a database"
      end
    end
  end
end
