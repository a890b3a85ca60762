# frozen_string_literal: true

module Support
  # Ruby as documentation shows it.
  module Documented
    # `expression # => value` raises unless the two are equal.
    #
    # @param line [String]
    # @return [String]
    def self.checked(line)
      expression, value = line.split(/ # => /, 2)
      return line unless value

      "(#{expression.strip}).then { |got| got == (#{value}) or raise \"\#{got.inspect} is not #{value.delete('"')}\" }"
    end
  end
end
