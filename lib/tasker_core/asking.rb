# frozen_string_literal: true

module TaskerCore
  # How a snapshot asks the database for more than it holds.
  #
  # @api private
  module Asking
    private

    def ask(operation, *arguments)
      Waiting.await(send(operation, *arguments))
    rescue Ractor::UnsafeError
      raise Error, "a #{self.class.name.split("::").last.downcase}'s fields can be read in any Ractor, but only the " \
                   "main one can ask the database (#{operation.to_s.delete_prefix("native_")}): send it the task's id"
    end
  end
end
