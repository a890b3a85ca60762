# frozen_string_literal: true

require "logger"
require "monitor"
require_relative "configuration/setting"
require_relative "configuration/file"
require_relative "configuration/layers"

module TaskerCore
  # The settings of this process; see {TaskerCore.configure}. Each comes from the first of these that says something:
  #
  # 1. an environment variable: `TASKER_` and its name, such as `TASKER_THREADS`; lists have commas in them
  # 2. Ruby code: {TaskerCore.configure}, and `config.tasker` in a Rails app
  # 3. the file {#file}, for the environment that `TASKER_ENV`, else `RAILS_ENV`, else `RACK_ENV` names
  #    (`development` without them), and for all under `shared`
  # 4. its default
  #
  # {#settings} tells where each came from.
  #
  # @example
  #   TaskerCore.configure do |c|
  #     c.database_url = "sqlite::memory:"
  #     c.on_error = ->(error, _ctx) { warn error.message }
  #   end
  class Configuration
    # What a handle can be opened for; the engine says the same.
    MOST_BYTES = 256 << 20
    # In the order in which they are told.
    SETTINGS = [
      Url.new(:database_url), Word.new(:database, nil_too: true), Count.new(:pool, 5), Count.new(:threads, 5),
      Words.new(:queues, nil_too: true), Span.new(:lease, 15), Span.new(:retention, nil_too: true),
      Span.new(:drain_timeout, 25), Span.new(:exit_timeout, 5), Count.new(:max_depth, 64, most: 100),
      Count.new(:max_context_bytes, 1 << 20, most: MOST_BYTES),
      Count.new(:max_result_bytes, 16 << 20, most: MOST_BYTES),
      Word.new(:transactions, :after_commit, words: %i[after_commit outbox immediate raise]),
      Hidden.new(:filter, Filter::NAMES), Word.new(:log_format, :text, words: %i[text json]),
      Duck.new(:logger, %i[add info warn error], "has not the methods of a Logger"),
      Duck.new(:on_error, %i[call], "has no method call")
    ].freeze
    private_constant :MOST_BYTES, :SETTINGS

    # @api private
    attr_reader :layers

    def initialize
      @layers = Layers.new(SETTINGS)
      @layers.default(:database_url) { [embedded_file, "default"] }
      @layers.default(:logger) { [@default_logger ||= default_logger, "default"] }
    end

    # @!attribute database
    #   Rails only: which entry of `config/database.yml` {#database_url} is made from, where nothing gives that.
    #   @return [Symbol, nil] Default: nil
    # @!attribute pool
    #   The most connections; a URL's `pool` wins.
    #   @return [Integer] 1 to 1000. Default: 5
    # @!attribute threads
    #   A worker's threads.
    #   @return [Integer] 1 to 1000. Default: 5
    # @!attribute queues
    #   The queues whose steps a worker runs.
    #   @return [Array<String>, nil] nil for all. Default: nil
    # @!attribute lease
    #   Seconds for which a process's claims hold without renewal.
    #   @return [Numeric] Default: 15
    # @!attribute retention
    #   Seconds for which tasks are kept that ended; nil for ever. The workers of a process with this setting delete
    #   older ones in the background, as {Upkeep#purge} does: one process at a time, every tenth of it, at the most
    #   every ten minutes. Of several handles on one database in a process, the first one's counts.
    #   @return [Numeric, nil] Default: nil
    # @!attribute drain_timeout
    #   Seconds that a stopping worker gives its handlers.
    #   @return [Numeric] Default: 25
    # @!attribute exit_timeout
    #   Seconds that the end of the process takes at the most for its workers: they claim nothing more, handlers have
    #   four fifths of it to end, what they hold then is given back, and the database is closed. Who wants to wait
    #   longer calls {Worker#stop} before.
    #   @return [Numeric] Default: 5
    # @!attribute max_depth
    #   How deep Arrays and Hashes may be nested in one another.
    #   @return [Integer] 1 to 100. Default: 64
    # @!attribute max_context_bytes
    #   The most bytes of JSON that a context, a config or a schema may have.
    #   @return [Integer] 1 to 268435456. Default: 1048576
    # @!attribute max_result_bytes
    #   The most bytes of JSON that a result may have.
    #   @return [Integer] 1 to 268435456. Default: 16777216
    # @!attribute transactions
    #   What becomes of a task that is created while a transaction of ActiveRecord is open in the thread, unless
    #   `create_task` says `transactional:`; TRANSACTIONS.md says more.
    #
    #   * `:after_commit`: it is created once the transaction is committed, and not at all when it is rolled back
    #   * `:outbox`: as `transactional: true` has it, in a transaction or not
    #   * `:immediate`: at once, whatever becomes of the transaction
    #   * `:raise`: an {OpenTransactionError}
    #   @return [Symbol] Default: `:after_commit`
    # @!attribute filter
    #   Parts of the names of keys, in whatever case, and patterns of them: what stands under such a key in contexts,
    #   results, configs and the like is shown as `[FILTERED]` by `inspect` and `pp`, and not at all in errors and logs.
    #   Handlers see it, and it is stored, as it is. An empty one hides nothing. A Rails app's `filter_parameters` are
    #   in it unless it is set.
    #   @return [Array<String, Regexp>] Default: `passw`, `passphrase`, `secret`, `token`, `_key`, `apikey`, `api-key`,
    #     `authorization`, `crypt`, `salt`, `certificate`, `otp`, `ssn`, `cvv`, `cvc`
    #   @example
    #     TaskerCore.configure { |c| c.filter += [:iban, /\Apin\z/] }
    #     TaskerCore.configuration.filter.include?("iban") # => true
    # @!attribute log_format
    #   Rails only: what the log's lines on steps and tasks look like.
    #   @return [Symbol] `:text` or `:json`. Default: `:text`
    # @!attribute on_error
    #   Called with what a handler raised and its {StepContext}, or with an {InvalidOutput} where it returned what its
    #   step's `output` schema does not allow; with nil in place of the context when the worker itself met a problem.
    #   @return [#call, nil] Default: nil
    # @!attribute logger
    #   What is worth telling goes here.
    #   @return [Logger] or what has its methods. Default: to standard error, from warnings on; in Rails, Rails.logger
    # @!attribute database_url
    #   Where the default handle's tasks are kept.
    #   @return [String] Default: `storage/tasker.sqlite3` where a folder `storage` exists, else `tasker.sqlite3`; in
    #     Rails what RAILS.md says
    SETTINGS.map(&:name).each do |name|
      define_method(name) { @layers.value(name) }
      define_method(:"#{name}=") { |value| @layers.set(name, value) }
    end

    # The file of settings, which need not exist. It is read when a setting is first asked for, and refused when it has
    # a setting in it that there isn't.
    #
    # @return [String] Default: `config/tasker.yml`
    # @example
    #   File.write("tasker.yml", "shared:\n  threads: 3\nproduction:\n  threads: 12\n")
    #   TaskerCore.configure { |c| c.file = "tasker.yml" }
    #   TaskerCore.configuration.threads # => 3
    def file = layers.file

    # @param path [String, Pathname, nil] nil for the default
    # @return [String, nil]
    def file=(path)
      layers.file = path&.to_s
    end

    # Every setting, its value, and where that comes from: an environment variable, a line of Ruby code or of {#file},
    # or `default`. A URL's password is not in it; of objects it has the class.
    #
    # @return [Array<Hash{Symbol => Object}>] `name`, `value`, `origin`
    # @raise [ConfigurationError] when an environment variable or the file is wrong
    # @example
    #   TaskerCore.configure { |c| c.threads = 8 }
    #   TaskerCore.configuration.settings.find { |setting| setting[:name] == :threads }[:value] # => 8
    def settings
      layers.settings.map do |name, setting|
        found = layers.find(name)
        { name: name, value: setting.shown(found.value), origin: found.origin }.freeze
      end.freeze
    end

    # Has a block called around each attempt at a step, in its thread, inside of what was given before it. It calls
    # the attempt once and returns; what comes of the attempt is what the handler returns or raises, whatever the block
    # makes of it. What the block raises itself fails the attempt. Lists and keys of limits that Ruby makes count as
    # attempts.
    #
    # @yieldparam ctx [StepContext]
    # @yieldparam attempt [#call] the rest
    # @return [void]
    # @example
    #   TaskerCore.configure do |c|
    #     c.around_attempt do |ctx, attempt|
    #       Thread.current[:tenant] = ctx.headers["tenant"]
    #       attempt.call
    #     ensure
    #       Thread.current[:tenant] = nil
    #     end
    #   end
    def around_attempt(&block)
      raise ConfigurationError, "around_attempt: takes a block" unless block

      @attempt_hooks = [*attempt_hooks, block].freeze
    end

    # Has a block called when a task is created, in the thread that does it: what it returns becomes the task's headers,
    # over those of blocks that were given before it and under those that the call itself gives.
    #
    # @yieldreturn [Hash, nil] JSON values; see {StepContext#headers}
    # @return [void]
    # @example
    #   TaskerCore.configure { |c| c.task_headers { { tenant: Thread.current[:tenant] }.compact } }
    def task_headers(&block)
      raise ConfigurationError, "task_headers: takes a block" unless block

      @header_sources = [*@header_sources, block].freeze
    end

    # @api private
    # @return [Array<#call>] from the outermost on
    def attempt_hooks = @attempt_hooks || [].freeze

    # The options of a new task, with the headers that its creator has now.
    #
    # @api private
    def with_headers(options)
      return options unless @header_sources

      found = @header_sources.map { |source| source.call || {} }.reduce({}) { |all, some| { **all, **named(some) } }
      given = options[:headers]
      return options if found.empty? || !(given.nil? || given.is_a?(Hash))

      { **options, headers: { **found, **named(given || {}) } }
    end

    # @api private
    def compiled_filter
      names = filter
      compiled = @compiled_filter
      return compiled if compiled && compiled.names == names

      @compiled_filter = Filter.new(names)
    end

    # @return [String] one short line; of the database's URL what is no secret
    def inspect
      shown = { database_url: Native.redacted_url(database_url), pool: pool, threads: threads, lease: lease,
                retention: retention, drain_timeout: drain_timeout }
      "#<TaskerCore::Configuration #{shown.map { |name, value| "#{name}: #{value.inspect}" }.join(", ")}>"
    end

    private

    # A name is the same as a Symbol and as a String.
    def named(headers) = headers.transform_keys { |key| key.is_a?(Symbol) ? key.to_s : key }

    def default_logger = Logger.new($stderr, level: Logger::WARN, progname: "tasker_core")

    def embedded_file
      Dir.exist?("storage") ? "sqlite:storage/tasker.sqlite3" : "sqlite:tasker.sqlite3"
    end
  end
end
