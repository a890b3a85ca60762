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
    # @return [String] where the default handle's tasks are kept. Default: `TASKER_DATABASE_URL`, else
    #   `storage/tasker.sqlite3` where a folder `storage` exists, else `tasker.sqlite3`
    attr_writer :database_url
    # @return [Logger] what is worth telling goes here. Default: to standard error, from warnings on
    attr_writer :logger
    # @return [#call, nil] called with what a handler raised and its {StepContext}; with nil in its place when the
    #   worker itself met a problem
    attr_accessor :on_error
    # @return [Integer] the most connections; a URL's `pool` wins. Default: 5
    attr_accessor :pool
    # @return [Integer] a worker's threads. Default: 5
    attr_accessor :threads
    # @return [Numeric] seconds for which a process's claims hold without renewal. Default: 15
    attr_accessor :lease
    # @return [Numeric] seconds that a stopping worker gives its handlers. Default: 25
    attr_accessor :drain_timeout

    def initialize
      @pool = 5
      @threads = 5
      @lease = 15
      @drain_timeout = 25
    end

    def database_url
      @database_url || ENV["TASKER_DATABASE_URL"] || embedded_file
    end

    def logger
      @logger ||= Logger.new($stderr, level: Logger::WARN, progname: "tasker_core")
    end

    private

    def embedded_file
      Dir.exist?("storage") ? "sqlite:storage/tasker.sqlite3" : "sqlite:tasker.sqlite3"
    end
  end
end
