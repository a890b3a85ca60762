# frozen_string_literal: true

require "json"

module TaskerCore
  # What {Task}, {Step}, {Transition}, {Annotation}, {Event} and {HandleInfo} have in common: frozen values that are
  # compared by their class and all their fields. Every Ractor may read them.
  module Snapshot
    # @!method to_h
    #   @return [Hash{Symbol => Object}] all fields; free JSON in them has String keys

    # @return [Boolean] whether the other is of the same class and all fields are equal
    def ==(other)
      equal?(other) || (self.class === other && other.to_h == to_h) # rubocop:disable Style/CaseEquality -- BasicObject
    end

    # @return [Boolean] the same, but 1 is not 1.0; so that equal keys of a Hash have the same {#hash}
    def eql?(other)
      equal?(other) || (self.class === other && other.to_h.eql?(to_h)) # rubocop:disable Style/CaseEquality
    end

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
    # @return [Hash{Symbol => Object}] without what it doesn't have
    def deconstruct_keys(keys)
      return to_h if keys.nil?

      known = self.class.const_get(:FIELDS)
      keys.each_with_object({}) { |key, read| read[key] = public_send(key) if known.include?(key) }
    end

    # @param options [Hash, nil] as ActiveSupport gives them: `only:` or `except:`, a name or an Array of names;
    #   others are ignored
    # @return [Hash{String => Object}] JSON values only: times as ISO 8601 text in UTC, to the microsecond
    def as_json(options = nil)
      Snapshot.wanted(self.class.const_get(:FIELDS), options).to_h do |field|
        value = public_send(field)
        [field.name, value.is_a?(Time) ? value.strftime("%FT%T.%6NZ") : value]
      end
    end

    # @param arguments [Array<Object>] none, a generator's state, or options as for {#as_json}
    # @return [String]
    def to_json(*arguments)
      # A generator's layout and Rails' escapes are theirs to give.
      return plain_json if arguments.empty? && !defined?(::ActiveSupport::JSON)

      options = arguments.first
      return as_json.to_json(*arguments) unless options.is_a?(Hash)

      # ActiveSupport would look for the fields once more, by names that are no Strings any more.
      as_json(options).to_json(options.except(:only, :except))
    end

    # For Psych: the fields as {#as_json} has them, a plain mapping that YAML.safe_load takes.
    #
    # @!visibility private
    def encode_with(coder)
      coder.represent_map(nil, as_json)
    end

    # What `Marshal.load` gives for a dumped snapshot shows itself like this.
    #
    # @api private
    module Shown
      # @return [String] all fields; what {Configuration#filter} names is hidden
      def inspect = "#<struct #{self.class} #{Filter.current.list(to_h)}>"
      alias to_s inspect

      # @!visibility private
      def pretty_print(printer) = Snapshot.lay_out(self, printer)
    end

    # For `pp`: all fields, one a line where they don't fit; what {Configuration#filter} names is hidden.
    #
    # @!visibility private
    def pretty_print(printer) = Snapshot.lay_out(self, printer)

    # Marshalled through {#to_h}: what is loaded has the same readers and no handle.
    #
    # @!visibility private
    def _dump(_depth)
      Marshal.dump(to_h)
    end

    private

    # For the larger classes Rust does this.
    def plain_json = JSON.generate(as_json)

    class << self
      # @api private
      def lay_out(snapshot, printer)
        printer.group(1, "#<#{snapshot.class}", ">") do
          printer.seplist(Filter.current.apply(snapshot.to_h), -> { printer.text "," }) do |field, value|
            printer.breakable
            printer.text "#{field}: "
            printer.pp value
          end
        end
      end

      # The fields that `only:` and `except:` leave.
      #
      # @api private
      def wanted(fields, options)
        if options&.key?(:only)
          fields & symbols(options[:only])
        elsif options&.key?(:except)
          fields - symbols(options[:except])
        else
          fields
        end
      end

      private

      def symbols(names) = Array(names).map(&:to_sym)
    end
  end
end
