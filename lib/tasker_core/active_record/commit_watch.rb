# frozen_string_literal: true

module TaskerCore
  # Waits for the end of the transactions that are open on some connections: calls its block with true once all of them
  # are committed, with false as soon as one is rolled back, be it a savepoint. ActiveRecord takes it for a record that
  # was saved in each of them.
  #
  # Rails 7.2 says itself when all are committed (`ActiveRecord.after_all_transactions_commit`), after the callbacks of
  # all records; but not when one of these raises, though everything is committed then. What a record is told holds in
  # that case, too.
  #
  # @api private
  class CommitWatch
    # @param connections [Array] with an open transaction each
    # @yieldparam committed [Boolean]
    # @yieldparam may_raise [Boolean] whether an error reaches whoever opened the transaction, and no other's callbacks
    #   are left out for it
    def initialize(connections, &over)
      @left = connections.size
      @over = over
      connections.each { |connection| connection.add_transaction_record(self) }
      @announced = ::ActiveRecord.respond_to?(:after_all_transactions_commit)
      ::ActiveRecord.after_all_transactions_commit { finish(true, true) } if @announced
    end

    # What ActiveRecord asks of records.
    def trigger_transactional_callbacks? = true
    def before_committed!(*) = nil
    def has_transactional_callbacks? = true # rubocop:disable Naming/PredicateName -- ActiveRecord's name
    def destroyed? = false
    attr_accessor :_new_record_before_last_commit

    # @param should_run_callbacks [Boolean] false after another record's callback raised
    def committed!(should_run_callbacks: true, **)
      @left -= 1
      return if @left.positive? || (@announced && should_run_callbacks)

      finish(true, should_run_callbacks)
    end

    def rolledback!(**) = finish(false, false)

    private

    def finish(committed, may_raise)
      over = @over
      @over = nil
      over&.call(committed, may_raise)
    end
  end
end
