# frozen_string_literal: true

require_relative "../operation"

module TaskerCore
  module CLI
    # `tasker cancel`.
    #
    # @api private
    class Cancel < Operation
      summary "Gives tasks up: what of them has not run never will"
      description HELP
      done "cancelled"
      example "tasker cancel 0197c8a1-6f2e-7c3d-9b1e-0123456789ab --reason \"ordered twice\""
      example "tasker cancel --name import --status pending --yes"
    end
  end
end
