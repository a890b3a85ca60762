# frozen_string_literal: true

module TaskerCore
  # The tables in PostgreSQL, made over a connection of ActiveRecord's: for those who want all changes of their database
  # in one list of migrations, or whose engine connects as a user that may make none. Otherwise the first that opens the
  # database makes them. Both run the same SQL and keep the same table of versions, so their order does not matter.
  #
  # @example
  #   require "active_record"
  #
  #   class InstallTasker < ActiveRecord::Migration[6.1]
  #     def up = TaskerCore::Migration.migrate!(connection, to: 3)
  #   end
  module Migration
    # The versions that were applied.
    TABLE = "tasker_schema_migrations"
    private_constant :TABLE

    class << self
      # @return [Integer] the version of the tables that this gem works with
      def newest = migrations.size

      # Applies what is missing, in one transaction, or in the one that is open. It waits while another process does so.
      #
      # @param connection [ActiveRecord::ConnectionAdapters::AbstractAdapter] to PostgreSQL
      # @param to [Integer] the version to come to; what is newer already stays so. Default: {newest}
      # @return [Integer] the version that it has now
      # @raise [ConfigurationError] when there is no such version, the database has one that this gem doesn't know, or
      #   it is no PostgreSQL
      def migrate!(connection, to: newest)
        check(connection, to)
        connection.transaction do
          connection.execute(lock)
          connection.execute(table)
          found = recorded(connection)
          refuse_newer(found)
          (found + 1..to).each { |version| apply(connection, version) }
          [found, to].max
        end
      end

      # @param connection [ActiveRecord::ConnectionAdapters::AbstractAdapter] to PostgreSQL
      # @return [Integer] the version of the tables there; 0 where there are none
      def version(connection)
        connection.select_value("SELECT to_regclass('#{TABLE}') IS NOT NULL") ? recorded(connection) : 0
      end

      private

      def lock = Native.postgres_scripts[0]
      def table = Native.postgres_scripts[1]
      def migrations = Native.postgres_scripts[2]

      def check(connection, wanted)
        unless connection.adapter_name.match?(/\Apost(gresql|gis)\z/i)
          raise ConfigurationError, "the tables are made over a connection to PostgreSQL, and this is one to " \
                                    "#{connection.adapter_name}: there tasker_core keeps tasks in an SQLite file of " \
                                    "its own, which it migrates when it opens it; leave this migration out"
        end
        return if wanted.is_a?(Integer) && wanted.between?(1, newest)

        raise ConfigurationError, "to: is 1 to #{newest}, the newest version that tasker_core #{VERSION} knows, not " \
                                  "#{Native.shown(wanted)}"
      end

      def recorded(connection)
        connection.select_value("SELECT coalesce(max(version), 0) FROM #{TABLE}").to_i
      end

      def refuse_newer(found)
        return if found <= newest

        raise ConfigurationError, "the database was written by a newer tasker_core (schema #{found}, this one knows " \
                                  "#{newest}); upgrade the gem"
      end

      def apply(connection, version)
        connection.execute(migrations[version - 1])
        connection.execute("INSERT INTO #{TABLE} (version) VALUES (#{version})")
      end
    end
  end
end
