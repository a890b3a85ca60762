# frozen_string_literal: true

module TaskerCore
  # The connections on which the current thread has a transaction of ActiveRecord open, whichever database and role. One
  # that nothing joins does not count, as it doesn't for `after_commit`: such a one is around each test with fixtures.
  #
  # @api private
  module OpenTransactions
    module_function

    def connections
      pools.filter_map do |pool|
        connection = lent_by(pool)
        connection if connection && open?(connection)
      end
    end

    def open?(connection)
      transaction = connection.current_transaction
      transaction.open? && transaction.joinable?
    end

    def pools
      handlers.flat_map do |handler|
        handler.respond_to?(:each_connection_pool) ? handler.each_connection_pool.to_a : handler.all_connection_pools
      end
    end

    # Rails 6.1, and 7.0 where it is told to, has one for each role, and none of these before there is a second.
    def handlers
      base = ::ActiveRecord::Base
      legacy = [::ActiveRecord, base].find { |place| place.respond_to?(:legacy_connection_handling) }
      others = legacy&.legacy_connection_handling ? base.connection_handlers.values : []
      [base.connection_handler, *others].uniq
    end

    # The connection that this thread has of a pool, if it has one.
    def lent_by(pool)
      pool.respond_to?(:active_connection) ? pool.active_connection : pool.active_connection? || nil
    end

    private_class_method :open?, :pools, :handlers, :lent_by
  end
end
