# frozen_string_literal: true

require_relative "checks/problem"
require_relative "checks/result_reads"
require_relative "checks/handlers"
require_relative "checks/templates"
require_relative "checks/connections"

module TaskerCore
  # What `tasker check` looks at: a program's templates and settings, before anything runs. Nothing here is loaded
  # unless it is asked for.
  #
  # @api private
  module Checks
  end
end
