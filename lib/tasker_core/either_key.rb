# frozen_string_literal: true

module TaskerCore
  # What stands in a user's Hash under a name, be that a Symbol or a String. The Hash's default is never asked.
  #
  # @api private
  module EitherKey
    module_function

    def of(hash, name)
      hash.fetch(name.to_sym) { hash.fetch(name, nil) }
    end
  end
end
