# frozen_string_literal: true

module TaskerCore
  # A queue that is paused; frozen. See {Upkeep#pause_queue}.
  #
  # @!attribute [r] queue
  #   @return [String]
  # @!attribute [r] namespace
  #   @return [String, nil] the namespace whose templates it is paused for; nil for all
  # @!attribute [r] paused_at
  #   @return [Time] since when, in UTC, by the database's clock
  # @!attribute [r] by
  #   @return [String, nil] who paused it
  # @!attribute [r] reason
  #   @return [String, nil] why
  QueuePause = Struct.new(:queue, :namespace, :paused_at, :by, :reason, keyword_init: true)

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
    # @yieldparam deleted [Integer] how many were deleted so far, now and then
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
        yield deleted if block_given?
        return deleted unless from
      end
    end

    # Pauses a queue: from then on (within a second, in whichever process) no worker takes a step of it. Steps under way
    # end, and are recorded; what becomes ready waits. `work(until: :idle)` does not wait for a paused queue. The pause
    # is kept in the database until {#resume_queue} ends it. A queue that is paused already stays as it is, with its
    # time and reason.
    #
    # @param name [String, Symbol] the queue; {Step#queue} tells a step's
    # @param namespace [String, Symbol, nil] pauses it for the templates of this namespace only; nil: for all
    # @param by [String, nil] who pauses it, 1 to 1024 characters
    # @param reason [String, nil] why, 1 to 1024 characters
    # @return [QueuePause] the pause as it stands
    # @raise [ValidationError] when a name is none
    # @raise [HandleExpiredError, HandleClosedError, DatabaseError]
    # @example
    #   handle = TaskerCore.open("sqlite::memory:")
    #   handle.pause_queue("mail", reason: "the mail server is down", by: "ada")
    #   handle.paused_queues.map(&:queue) # => ["mail"]
    #   handle.resume_queue("mail") # => true
    def pause_queue(name, namespace: nil, by: nil, reason: nil)
      asked = { name: name, namespace: namespace, by: by, reason: reason }
      QueuePause.new(**Waiting.await(@native.pause_queue(asked))).freeze
    end

    # Ends a pause: workers take the queue's steps again, within a second.
    #
    # @param name [String, Symbol] the queue
    # @param namespace [String, Symbol, nil] as it was given to {#pause_queue}: a pause for all namespaces is ended
    #   without it, one for a namespace with it
    # @return [Boolean] whether there was such a pause
    # @raise [ValidationError] when a name is none
    # @raise [HandleExpiredError, HandleClosedError, DatabaseError]
    def resume_queue(name, namespace: nil)
      Waiting.await(@native.resume_queue({ name: name, namespace: namespace }))
    end

    # @return [Array<QueuePause>] the pauses that stand, by queue and namespace
    # @raise [HandleExpiredError, HandleClosedError, DatabaseError]
    def paused_queues
      Waiting.await(@native.paused_queues).map { |pause| QueuePause.new(**pause).freeze }.freeze
    end
  end
end
