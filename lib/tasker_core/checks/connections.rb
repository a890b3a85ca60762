# frozen_string_literal: true

module TaskerCore
  module Checks
    # The sums of connections and threads: what a process takes, and whether the database has it.
    #
    # @api private
    class Connections
      # @return [Integer] threads of a worker
      attr_reader :threads
      # @return [Integer] the most connections of the engine
      attr_reader :pool

      # @param threads [Integer]
      # @param pool [Integer] as configured; a URL's wins
      # @param url [String] the database's
      # @param database [Hash, nil] what is known of it, see `Native.examine`
      # @param records_pool [Integer, nil] ActiveRecord's pool of this process
      def initialize(threads:, pool:, url:, database: nil, records_pool: nil)
        @threads = threads
        @pool = url[/[?&]pool=(\d+)/, 1]&.to_i || pool
        @server = url.start_with?("postgres")
        # Through a pooler in transaction mode nobody listens.
        @listens = !url.match?(/[?&]prepared=false/)
        @database = database
        @records_pool = records_pool
      end

      # @return [Integer] how many connections to its server a process takes at the most
      def of_process = @pool + (@listens ? 1 : 0)

      # @return [String] the sum, for people
      def to_s
        words = ["#{@threads} threads", "a pool of #{@pool}"]
        words << "ActiveRecord's pool of #{@records_pool}" if @records_pool
        words << server_words if @server && most
        words.join(", ")
      end

      # @return [Hash{Symbol => Object}]
      def to_h
        { threads: @threads, pool: @pool, active_record_pool: @records_pool,
          connections_of_a_process: (of_process if @server),
          max_connections: most, connections: @database && @database[:connections] }
      end

      # @return [Array<Problem>]
      def problems = [records_too_few, server_too_small].compact

      private

      def most = @database && @database[:max_connections]

      def server_words
        used = @database[:connections] ? ", which has #{@database[:connections]} now" : ""
        "#{of_process} of the server's #{most} connections#{" (#{@pool} and one to listen)" if @listens}#{used}"
      end

      def records_too_few
        return if @records_pool.nil? || @records_pool >= @threads

        problem("warning", "ActiveRecord's pool has #{@records_pool} connections for #{@threads} threads: handlers " \
                           "that use records will wait for one another; set `pool: #{@threads}` in " \
                           "config/database.yml, or fewer threads")
      end

      # Two processes: one goes while the next one comes, at every deploy.
      def server_too_small
        return unless @server && most

        if of_process > most
          problem("error", "a process takes up to #{of_process} connections, and the server allows #{most} in all")
        elsif 2 * of_process > most
          problem("warning", "a process takes up to #{of_process} connections, and the server allows #{most} in all: " \
                             "two processes, as there are during a deploy, don't fit")
        end
      end

      def problem(level, message) = Problem.new(level: level, subject: "connections", message: message)
    end
  end
end
