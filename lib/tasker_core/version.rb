# frozen_string_literal: true

module TaskerCore
  # The gem's version, which is its crates' too.
  VERSION = "0.1.0"
end
