# frozen_string_literal: true

module Chaos
  # Asks again while the database is away.
  module Patience
    def self.now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    # The block's value, once the database lets it have one.
    #
    # @param of [Array<Class>] the errors after which it is asked for again
    def self.insist(within: 60, of: [TaskerCore::DatabaseError, TaskerCore::TimeoutError])
      deadline = now + within
      begin
        yield
      rescue *of
        raise if now > deadline

        sleep 0.1
        retry
      end
    end
  end
end
