# frozen_string_literal: true

module TaskerCore
  # A remark on a task; frozen. See {Task#annotate}.
  #
  # @!attribute [r] task_id
  #   @return [String]
  # @!attribute [r] type
  #   @return [String] what kind of remark it is
  # @!attribute [r] value
  #   @return [Object, nil] what it says: a JSON value, deeply frozen
  # @!attribute [r] by
  #   @return [String, nil] who made it
  # @!attribute [r] at
  #   @return [Time] when, in UTC, by the database's clock
  class Annotation
    include Snapshot

    # The names of the fields.
    FIELDS = %i[task_id type value by at].freeze

    # What `Marshal.load` gives for a dumped one: its fields; frozen.
    #
    # @api private
    Loaded = Struct.new(*FIELDS, keyword_init: true) { include Snapshot::Shown }

    # @!visibility private
    def self._load(text)
      Loaded.new(**Marshal.load(text)).freeze # rubocop:disable Security/MarshalLoad -- within a Marshal.load
    end

    # @return [String] one short line
    def inspect
      "#<TaskerCore::Annotation #{type} by #{by || "nobody"} at #{at.strftime("%FT%T.%6NZ")}>"
    end
    alias to_s inspect
  end
end
