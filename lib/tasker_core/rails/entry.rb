# frozen_string_literal: true

require "uri"

module TaskerCore
  module RailsApp
    # An entry of `config/database.yml` for PostgreSQL, as a URL for the engine. Nothing that it says is dropped in
    # silence.
    #
    # @api private
    class Entry
      # By what the engine calls it. What libpq calls it is good, too.
      PASSED = {
        "host" => "host", "hostaddr" => "hostaddr", "port" => "port", "username" => "user", "user" => "user",
        "password" => "password", "database" => "dbname", "dbname" => "dbname", "sslmode" => "sslmode",
        "sslrootcert" => "sslrootcert", "sslcert" => "sslcert", "sslkey" => "sslkey",
        "application_name" => "application_name", "connect_timeout" => "connect_timeout",
        "checkout_timeout" => "acquire_timeout", "pool" => "pool", "max_connections" => "pool"
      }.freeze
      # What is put together with others.
      GATHERED = %w[options schema_search_path variables prepared_statements].freeze
      # What says how ActiveRecord goes about it, and nothing of the database.
      FOR_ACTIVE_RECORD = %w[
        adapter url encoding min_messages statement_limit insert_returning advisory_locks migrations_paths
        database_tasks schema_dump schema_format schema_cache_path seeds replica reaping_frequency idle_timeout
        min_connections max_age keepalive pool_jitter query_cache use_metadata_table default_timezone connection_retries
        retry_deadline reconnect_can_wait_for migrations_path structure_dump_flags
      ].freeze
      # Whom to trust or where to connect: the engine can't do that, and leaving it out would do something else.
      REFUSED = %w[
        passfile service sslcrl sslcrldir sslpassword sslcompression sslsni requirepeer requiressl channel_binding
        gssencmode krbsrvname gsslib target_session_attrs replication ssl_min_protocol_version ssl_max_protocol_version
      ].freeze
      private_constant :PASSED, :GATHERED, :FOR_ACTIVE_RECORD, :REFUSED

      # @param entry [ActiveRecord::DatabaseConfigurations::DatabaseConfig]
      def initialize(entry)
        @name = entry.name
        @settings = entry.configuration_hash.transform_keys(&:to_s).compact
      end

      # @return [String]
      # @raise [ConfigurationError] when it says what the engine can't do
      def url
        refuse
        warn_of_unknown
        options = parameters
        place = "#{user(options)}#{host(options)}/#{escape(options.delete("dbname").to_s)}"
        "postgres://#{[place, *(URI.encode_www_form(options) unless options.empty?)].join("?")}"
      end

      private

      def user(options)
        user, password = options.values_at("user", "password")
        return "" unless user

        options.delete("user")
        options.delete("password")
        "#{[user, *password].map { |word| escape(word) }.join(":")}@"
      end

      # A folder with a socket in it, several hosts and the like stay options.
      def host(options)
        return "" unless options["host"]&.match?(/\A[A-Za-z0-9.-]+\z/)

        [options.delete("host"), *options.delete("port")].join(":")
      end

      def escape(word) = URI.encode_www_form_component(word).gsub("+", "%20")

      def parameters
        passed = @settings.filter_map { |name, value| [PASSED[name], value.to_s] if PASSED[name] }.to_h
        passed.delete("pool") unless pool_is_default?
        options = options_text
        passed["options"] = options unless options.empty?
        passed["prepared"] = "false" if @settings["prepared_statements"].to_s == "false"
        passed
      end

      # A pool that was given to tasker_core itself wins over the one that is given to ActiveRecord.
      def pool_is_default? = TaskerCore.configuration.layers.find(:pool).origin == "default"

      # As libpq has them: `-c name=value`, with spaces and backslashes escaped.
      def options_text
        set = (@settings["variables"] || {}).compact
        set = set.reject { |_, value| [":default", "default"].include?(value.to_s) }
        set = { "search_path" => @settings["schema_search_path"], **set.transform_keys(&:to_s) }.compact
        set = set.map { |name, value| "-c #{name}=#{value.to_s.gsub(/[\\\s]/) { |character| "\\#{character}" }}" }
        [@settings["options"], *set].compact.join(" ")
      end

      def refuse
        found = @settings.keys & REFUSED
        return if found.empty?

        raise ConfigurationError, "config/database.yml (#{@name}): tasker_core's engine can't do what " \
                                  "#{found.join(", ")} asks for; name the database with TASKER_DATABASE_URL"
      end

      def warn_of_unknown
        known = [*PASSED.keys, *GATHERED, *FOR_ACTIVE_RECORD]
        (@settings.keys - known).each do |name|
          TaskerCore.configuration.logger.warn("config/database.yml (#{@name}): #{name} means nothing to tasker_core" \
                                               "#{Nearest.hint(name, known)}")
        end
      end
    end
  end
end
