# frozen_string_literal: true

module TaskerCore
  # Waits for the end of the transactions that are open on some connections: calls its block with true once all of them
  # are committed, with false as soon as one is rolled back, be it a savepoint. ActiveRecord takes it for a record that
  # was saved in each of them.
  #
  # What the block raises then would leave out the callbacks of the records behind it. Rails 7.2 says when those of all
  # are over (`ActiveRecord.after_all_transactions_commit`), unless one of them raises: there it is raised at last.
  #
  # @api private
  class CommitWatch
    # Where a fiber, which commits on its own connections, has the watch whose error is to be raised yet.
    HELD = :tasker_core_commit_watch
    private_constant :HELD

    # @param connections [Array] with an open transaction each
    # @yieldparam committed [Boolean]
    # @yieldparam may_raise [Boolean] whether an error reaches whoever opened the transaction
    def initialize(connections, &over)
      Thread.current[HELD]&.give_up
      @left = connections.size
      @over = over
      connections.each { |connection| connection.add_transaction_record(self) }
      @announced = ::ActiveRecord.respond_to?(:after_all_transactions_commit)
      ::ActiveRecord.after_all_transactions_commit { all_over } if @announced
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
      finish(true, should_run_callbacks && Thread.current[HELD].nil?) unless @left.positive?
    end

    def rolledback!(**) = finish(false, false)

    # Another record's callback raised, so that Rails never said that all are over.
    def give_up
      error = take_held
      Reporter.current.told(error, nil) if error
    end

    private

    def finish(committed, may_raise)
      over = @over
      @over = nil
      over&.call(committed, may_raise)
    rescue Error => e
      raise unless @announced

      # It may be that it is never raised.
      Reporter.current.log(Logger::ERROR) { "not created after a commit: #{e.message}" }
      @error = e
      Thread.current[HELD] = self
    end

    def all_over
      error = take_held
      raise error if error
    end

    def take_held
      return unless Thread.current[HELD].equal?(self)

      Thread.current[HELD] = nil
      @error
    end
  end
end
