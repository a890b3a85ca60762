# frozen_string_literal: true

module TaskerCore
  # The hint that goes with a wrong name.
  #
  # @api private
  module Nearest
    module_function

    # ` (did you mean "…"?)` for the nearest of the names, or a list of them.
    def hint(wrong, names)
      Native.hint(wrong.to_s.scrub, names.map(&:to_s))
    end
  end
end
