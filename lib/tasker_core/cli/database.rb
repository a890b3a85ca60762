# frozen_string_literal: true

module TaskerCore
  module CLI
    # A database as it stands before it is opened: it is looked at, and not made or migrated.
    #
    # @api private
    class Database
      # @return [String] its URL
      attr_reader :url
      # @return [Error, nil] why it can't be used
      attr_reader :error

      # @param url [String]
      # @param commits [Integer] how many are measured, on a server
      def initialize(url, commits: 0)
        @url = url
        @commits = commits
      end

      # @return [Hash{Symbol => Object}, nil] what was found; nil where it can't be used
      def state
        return @state if defined?(@state)

        OrchestrationHandle.look_before_open(url)
        @state = Waiting.await(Native.examine({ url: url, commits: @commits }))
      rescue Error => e
        @error = e
        @state = nil
      end

      # @return [Boolean] whether it is made anew by whoever opens it
      def memory? = url == "sqlite::memory:"

      # @return [Boolean] whether its schema is the one that this version writes
      def current? = !state.nil? && state[:schema] == state[:newest_schema]

      # @return [Boolean] whether it has a schema
      def made? = !state.nil? && !state[:schema].nil?

      # @return [Boolean] whether a later version than this one has written it
      def newer? = made? && state[:schema] > state[:newest_schema]

      # @raise [ConfigurationError] in the words of whoever opens it, where it is newer
      def refuse_newer
        return unless newer?

        raise ConfigurationError, "the database was written by a newer tasker_core (schema #{state[:schema]}, this " \
                                  "one knows #{state[:newest_schema]}); upgrade the gem"
      end

      # @return [Array<Checks::Problem>]
      def problems
        return [problem("error", error.message)] if state.nil?
        return [] if memory?
        return [problem("warning", "has no tables yet: `tasker migrate` makes them")] unless made?
        return [] if current?
        return [problem("error", "was written by a newer tasker_core (schema #{schema}): upgrade the gem")] if newer?

        [problem("warning", "is to be migrated, by `tasker migrate` or whoever opens it first: #{schema}")]
      end

      # @return [String] for people
      def to_s
        return "#{place}: #{error.message}" if state.nil?

        "#{place}: #{state[:product]} #{state[:version]}, schema #{schema}"
      end

      # @return [Hash{Symbol => Object}]
      def to_h
        { url: place, error: (error.message if state.nil?), **(state || {}) }
      end

      private

      def place = Native.redacted_url(url)

      def schema
        found = state[:schema] || "none"
        current? ? "#{found}, up to date" : "#{found}, this version has #{state[:newest_schema]}"
      end

      def problem(level, message)
        Checks::Problem.new(level: level, subject: "database", message: message)
      end
    end
  end
end
