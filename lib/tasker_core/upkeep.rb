# frozen_string_literal: true

module TaskerCore
  # What a handle does to its database as a whole. {OrchestrationHandle} has these methods.
  module Upkeep
    # Deletes tasks that ended before a moment, in whatever way (complete, error, cancelled, resolved by hand), with
    # their steps, results and histories. Their keys are free again. It takes many small transactions, so that whoever
    # works on the database meanwhile waits for none of them for long; when it is interrupted or fails, what it has
    # deleted until then is gone. Tasks that have not ended are never touched.
    #
    # An SQLite file gets smaller with it, at the latest when the last handle on it is closed; PostgreSQL's autovacuum
    # sees to the space there. {Configuration#retention} has workers do this by themselves.
    #
    # @param finished_before [Time, String] a Time, or RFC 3339 text
    # @param batch [Integer] how many tasks one transaction deletes at the most, 1 to 10000; it deletes fewer where that
    #   takes long
    # @return [Integer] how many tasks were deleted
    # @raise [ValidationError] when an option is wrong
    # @raise [HandleExpiredError, HandleClosedError, DatabaseError]
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.register({ name: "hello", steps: [{ name: "greet" }] }, handlers: { greet: ->(_ctx) { "hello" } })
    #   handle.create_task("hello")
    #   handle.work(until: :idle)
    #   handle.purge(finished_before: Time.now - (90 * 86_400)) # => 0
    #   handle.purge(finished_before: Time.now + 1) # => 1
    def purge(finished_before:, batch: 1_000)
      asked = { finished_before: plain_time(finished_before), batch: batch }
      deleted = 0
      from = nil
      loop do
        done = Waiting.await(@native.purge({ **asked, from: from }))
        deleted += done[:deleted]
        from = done[:from]
        return deleted unless from
      end
    end
  end
end
