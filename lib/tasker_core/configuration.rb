# frozen_string_literal: true

require "logger"

module TaskerCore
  # The settings of this process; see {TaskerCore.configure}.
  #
  # @example
  #   TaskerCore.configure do |c|
  #     c.database_url = "sqlite::memory:"
  #     c.on_error = ->(error, _ctx) { warn error.message }
  #   end
  class Configuration
    # What a handle can be opened for; the engine says the same.
    MOST_BYTES = 256 << 20
    private_constant :MOST_BYTES

    # @return [#call, nil] called with what a handler raised and its {StepContext}, or with an {InvalidOutput} where it
    #   returned what its step's `output` schema does not allow; with nil in place of the context when the worker itself
    #   met a problem
    attr_reader :on_error
    # @return [Integer] the most connections; a URL's `pool` wins. Default: 5
    attr_reader :pool
    # @return [Integer] a worker's threads. Default: 5
    attr_reader :threads
    # @return [Numeric] seconds for which a process's claims hold without renewal. Default: 15
    attr_reader :lease
    # @return [Numeric, nil] seconds for which tasks are kept that ended; nil for ever. The workers of a process with
    #   this setting delete older ones in the background, as {Upkeep#purge} does: one process at a time, every tenth of
    #   it, at the most every ten minutes. Of several handles on one database in a process, the first one's counts.
    #   Default: nil
    attr_reader :retention
    # @return [Numeric] seconds that a stopping worker gives its handlers. Default: 25
    attr_reader :drain_timeout
    # @return [Numeric] seconds that the end of the process takes at the most for its workers: they claim nothing more,
    #   handlers have four fifths of it to end, what they hold then is given back, and the database is closed. Who wants
    #   to wait longer calls {Worker#stop} before. Default: 5
    attr_reader :exit_timeout

    # @return [Integer] how deep Arrays and Hashes may be nested in one another. Default: 64
    attr_reader :max_depth
    # @return [Integer] the most bytes of JSON that a context, a config or a schema may have. Default: 1048576
    attr_reader :max_context_bytes
    # @return [Integer] the most bytes of JSON that a result may have. Default: 16777216
    attr_reader :max_result_bytes

    # @api private
    attr_reader :compiled_filter

    def initialize
      @compiled_filter = Filter.new(Filter::NAMES)
      @pool = 5
      @threads = 5
      @lease = 15
      @drain_timeout = 25
      @exit_timeout = 5
      @max_depth = 64
      @max_context_bytes = 1 << 20
      @max_result_bytes = 16 << 20
    end

    # @return [String] where the default handle's tasks are kept. Default: `TASKER_DATABASE_URL`, else
    #   `storage/tasker.sqlite3` where a folder `storage` exists, else `tasker.sqlite3`
    def database_url
      @database_url || ENV["TASKER_DATABASE_URL"] || embedded_file
    end

    # @raise [ConfigurationError] when it is no database URL
    def database_url=(url)
      Native.check_url(url) unless url.nil?
      @database_url = url
    rescue ConfigurationError => e
      raise ConfigurationError, "database_url: #{e.message}"
    end

    # @return [Logger] what is worth telling goes here. Default: to standard error, from warnings on
    def logger
      @logger ||= Logger.new($stderr, level: Logger::WARN, progname: "tasker_core")
    end

    # @param logger [Logger, nil] or what has its methods; nil for the default
    # @raise [ConfigurationError] when it has not
    def logger=(logger)
      unless logger.nil? || %i[add info warn error].all? { |name| logger.respond_to?(name) }
        raise ConfigurationError, "logger: a #{logger.class} has not the methods of a Logger"
      end

      @logger = logger
    end

    # @raise [ConfigurationError] when it can't be called
    def on_error=(callable)
      unless callable.nil? || callable.respond_to?(:call)
        raise ConfigurationError, "on_error: a #{callable.class} has no method call"
      end

      @on_error = callable
    end

    # @return [Array<String, Regexp>] parts of the names of keys, in whatever case, and patterns of them: what stands
    #   under such a key in contexts, results, configs and the like is shown as `[FILTERED]` by `inspect` and `pp`, and
    #   not at all in errors and logs. Handlers see it, and it is stored, as it is. Default: `passw`, `passphrase`,
    #   `secret`, `token`, `_key`, `apikey`, `api-key`, `authorization`, `crypt`, `salt`, `certificate`, `otp`, `ssn`,
    #   `cvv`, `cvc`
    # @example
    #   TaskerCore.configure { |c| c.filter += [:iban, /\Apin\z/] }
    #   # in Rails: c.filter += Rails.application.config.filter_parameters.grep_v(Proc)
    #   TaskerCore.configuration.filter.include?("iban") # => true
    def filter = compiled_filter.names

    # @param names [Array<String, Symbol, Regexp>, nil] an empty one hides nothing; nil for the default
    # @raise [ConfigurationError] when it is something else
    def filter=(names)
      unless names.nil? || names.is_a?(Array)
        raise ConfigurationError, "filter: is an Array of Strings, Symbols and Regexps, not #{Native.shown(names)}"
      end

      @compiled_filter = Filter.new(names || Filter::NAMES)
    end

    # @return [String] one short line; of the database's URL what is no secret
    def inspect
      shown = { database_url: Native.redacted_url(database_url), pool: pool, threads: threads, lease: lease,
                retention: retention, drain_timeout: drain_timeout }
      "#<TaskerCore::Configuration #{shown.map { |name, value| "#{name}: #{value.inspect}" }.join(", ")}>"
    end

    # @raise [ConfigurationError] when it is not 1 to 1000
    def pool=(number)
      @pool = count(number, "pool")
    end

    # @raise [ConfigurationError] when it is not 1 to 1000
    def threads=(number)
      @threads = count(number, "threads")
    end

    # @raise [ValidationError] when it is no number of seconds
    def lease=(seconds)
      @lease = Seconds.parse(seconds, "lease") ? seconds : 15
    end

    # @raise [ConfigurationError, ValidationError] when it is no number of seconds above 0
    def retention=(seconds)
      raise ConfigurationError, "retention: is above 0 seconds, or nil" if Seconds.parse(seconds, "retention")&.zero?

      @retention = seconds
    end

    # @raise [ValidationError] when it is no number of seconds
    def drain_timeout=(seconds)
      @drain_timeout = Seconds.parse(seconds, "drain_timeout") ? seconds : 25
    end

    # @raise [ValidationError] when it is no number of seconds
    def exit_timeout=(seconds)
      @exit_timeout = Seconds.parse(seconds, "exit_timeout") ? seconds : 5
    end

    # @raise [ConfigurationError] when it is not 1 to 100
    def max_depth=(levels)
      @max_depth = count(levels, "max_depth", most: 100)
    end

    # @raise [ConfigurationError] when it is not 1 to 268435456
    def max_context_bytes=(bytes)
      @max_context_bytes = count(bytes, "max_context_bytes", most: MOST_BYTES)
    end

    # @raise [ConfigurationError] when it is not 1 to 268435456
    def max_result_bytes=(bytes)
      @max_result_bytes = count(bytes, "max_result_bytes", most: MOST_BYTES)
    end

    private

    def count(number, name, most: 1_000)
      return number if number.is_a?(Integer) && number.between?(1, most)

      raise ConfigurationError, "#{name}: is 1 to #{most}, not #{Native.shown(number)}"
    end

    def embedded_file
      Dir.exist?("storage") ? "sqlite:storage/tasker.sqlite3" : "sqlite:tasker.sqlite3"
    end
  end
end
