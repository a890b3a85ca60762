# frozen_string_literal: true

module TaskerCore
  class Performance
    # What the answers of {Performance} have in common: frozen snapshots, of plain values and of other reports. What
    # `Marshal.load` gives for a dumped one is equal to it.
    class Report
      include Snapshot

      # The names of the fields.
      #
      # @return [Array<Symbol>]
      FIELDS = [].freeze

      # Declares a reader for each field.
      #
      # @api private
      def self.reads(fields)
        attr_reader(*fields)
      end
      private_class_method :reads

      # @api private
      # @param values [Hash{Symbol => Object}] what Rust found
      # @return [Report]
      def self.of(values)
        new(values)
      end

      # @!visibility private
      def self._load(text)
        new(Marshal.load(text)) # rubocop:disable Security/MarshalLoad -- within a Marshal.load
      end

      # @api private
      def initialize(values)
        self.class::FIELDS.each { |field| instance_variable_set(:"@#{field}", values.fetch(field).freeze) }
        freeze
      end

      # @return [Hash{Symbol => Object}] all fields
      def to_h
        self.class::FIELDS.to_h { |field| [field, public_send(field)] }
      end

      # See {Snapshot#as_json}.
      #
      # @param (see Snapshot#as_json)
      # @return [Hash{String => Object}]
      def as_json(options = nil)
        Report.wanted_json(super)
      end

      # @return [String] one short line
      def inspect
        "#<#{self.class} #{summary}>"
      end
      alias to_s inspect

      # JSON values only, all the way down.
      #
      # @api private
      def self.wanted_json(value)
        case value
        when Report then value.as_json
        when Time then value.strftime("%FT%T.%6NZ")
        when Hash then value.to_h { |key, item| [key.to_s, wanted_json(item)] }
        when Array then value.map { |item| wanted_json(item) }
        else value
        end
      end
    end
  end
end
