# frozen_string_literal: true

# Waiting, for both programs.
module Patience
  # Seconds.
  LIMIT = 60

  # Returns when the block gives something true; ends the program when it does not in time.
  def self.until_true(what)
    deadline = now + LIMIT
    until yield
      abort("not within #{LIMIT} s: #{what}") if now > deadline
      sleep(0.02)
    end
  end

  def self.now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
