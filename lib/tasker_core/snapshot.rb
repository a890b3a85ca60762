# frozen_string_literal: true

require "json"

module TaskerCore
  # What {Task}, {Step} and {Transition} have in common: frozen values that are compared by their class and all
  # their fields.
  module Snapshot
    # @return [Boolean] whether the other is of the same class and all fields are equal
    def ==(other)
      other.class == self.class && (equal?(other) || other.to_h == to_h)
    end
    alias eql? ==

    # @return [Integer]
    def hash
      [self.class, to_h].hash
    end

    # @return [self] a frozen value needs no copy
    def dup
      self
    end

    # @return [self] a frozen value needs no copy
    def clone(**)
      self
    end

    # For pattern matching.
    #
    # @param keys [Array<Symbol>, nil] the fields that are asked for; all where nil
    # @return [Hash{Symbol => Object}]
    def deconstruct_keys(keys)
      keys ? to_h.slice(*keys) : to_h
    end

    # @return [Hash{String => Object}] JSON values only: times as ISO 8601 text in UTC, to the microsecond
    def as_json(*)
      to_h.to_h { |key, value| [key.to_s, value.is_a?(Time) ? value.strftime("%FT%T.%6NZ") : value] }
    end

    # @return [String]
    def to_json(...)
      as_json.to_json(...)
    end

    # Marshalled through {#to_h}: what is loaded has the same readers and no handle.
    #
    # @!visibility private
    def _dump(_depth)
      Marshal.dump(to_h)
    end
  end
end
