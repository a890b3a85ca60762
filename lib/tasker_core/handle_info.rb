# frozen_string_literal: true

module TaskerCore
  # What a handle said about itself when {OrchestrationHandle#info} was called; frozen. It can be read like a Hash.
  #
  # @!attribute [r] id
  #   @return [String]
  # @!attribute [r] created_at
  #   @return [Time] in UTC, by this machine's clock
  # @!attribute [r] expires_at
  #   @return [Time, nil] nil when it doesn't expire
  # @!attribute [r] status
  #   @return [String] `active`, `expired` or `closed`
  # @!attribute [r] backend
  #   @return [String] `sqlite` or `postgres`
  # @!attribute [r] database
  #   @return [String] which one, without a password
  # @!attribute [r] pool
  #   @return [Hash{Symbol => Integer}, nil] the connections: `size` (open), `idle`, `in_use`, and `max`; nil where
  #     this process has none: before the first use after a fork, and once the handle is closed
  # @!attribute [r] pid
  #   @return [Integer] the process that reads it
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.info.backend       # => "sqlite"
  #   handle.info[:pool][:max]  # => 5
  #   handle.info => { status: "active", pid: }
  class HandleInfo
    include Snapshot

    # The names of the fields.
    FIELDS = %i[id created_at expires_at status backend database pool pid].freeze

    # What `Marshal.load` gives for a dumped one: its fields; frozen.
    #
    # @api private
    Loaded = Struct.new(*FIELDS, keyword_init: true) { include Snapshot::Shown }

    # @!visibility private
    def self._load(text)
      Loaded.new(**Marshal.load(text)).freeze # rubocop:disable Security/MarshalLoad -- within a Marshal.load
    end

    # @param field [Symbol, String]
    # @return [Object, nil] the field's value; nil when there is no such field
    def [](field)
      public_send(field) if key?(field)
    end

    # @param field [Symbol, String]
    # @return [Object] the field's value
    # @raise [KeyError] when there is no such field
    def fetch(field)
      key?(field) ? self[field] : raise(KeyError.new("a handle's info has no #{field.inspect}", key: field))
    end

    # @param field [Symbol, String]
    # @return [Boolean] whether there is such a field
    def key?(field)
      FIELDS.include?(field.to_sym)
    end

    # @param field [Symbol, String]
    # @param names [Array<Object>] the way on from there
    # @return [Object, nil]
    def dig(field, *names)
      names.empty? ? self[field] : self[field]&.dig(*names)
    end

    # See {Snapshot#as_json}.
    #
    # @param (see Snapshot#as_json)
    # @return [Hash{String => Object}]
    def as_json(options = nil)
      super.transform_values { |value| value.is_a?(Hash) ? value.transform_keys(&:name) : value }
    end

    # @return [String] one short line
    def inspect
      "#<TaskerCore::HandleInfo #{id} #{database} #{status}>"
    end
    alias to_s inspect
  end
end
