# frozen_string_literal: true

require "fileutils"
require "uri"

module TaskerCore
  # What makes tasker_core at home in a Rails app. (Not called Rails, which would hide the constant of that name.)
  #
  # @api private
  module RailsApp
    # The database of an app that names none by its URL: an entry of `config/database.yml`, or an SQLite file.
    #
    # @api private
    class Database
      FILE = "config/database.yml"
      POSTGRES = %w[postgresql postgis].freeze
      private_constant :FILE, :POSTGRES

      # @param wanted [Symbol, nil] the name of an entry
      def initialize(wanted)
        @wanted = wanted&.to_s
      end

      # @return [Array(String, String)] the URL, and where it comes from
      # @raise [ConfigurationError] when the entry is none, or can't be used
      def url
        return [Entry.new(named).url, "#{FILE} (#{@wanted})"] if @wanted

        primary = entries.find { |entry| entry.name == "primary" } || entries.first
        return [Entry.new(primary).url, "#{FILE} (#{primary.name})"] if primary && postgres?(primary)

        [own_file, "default"]
      end

      # The entries of this environment, replicas among them.
      def self.entries
        return [] unless defined?(::ActiveRecord::Base)

        ::ActiveRecord::Base.configurations.configurations.select { |entry| entry.env_name == ::Rails.env }
      end

      private

      def entries = Database.entries

      def postgres?(entry) = POSTGRES.include?(entry.adapter)

      def named
        found = entries.find { |entry| entry.name == @wanted }
        unless found
          raise ConfigurationError, "database: #{FILE} has no entry #{@wanted} for #{::Rails.env}" \
                                    "#{Nearest.hint(@wanted, entries.map(&:name))}"
        end
        refuse(found) unless postgres?(found)
        refuse_replica if found.configuration_hash[:replica]
        found
      end

      def refuse_replica
        raise ConfigurationError, "database: #{@wanted} of #{FILE} is a replica, and tasker_core writes"
      end

      def refuse(entry)
        why = if entry.adapter.to_s.start_with?("sqlite")
                "ActiveRecord opens that file too, and two SQLite libraries in one process lose each other's locks, " \
                  "and with them data. Leave this setting out: tasker_core then has a file of its own for its tasks, " \
                  "#{own_file.delete_prefix("sqlite://")}"
              else
                "tasker_core works on PostgreSQL, or on an SQLite file of its own, which it takes without this setting"
              end
        raise ConfigurationError, "database: #{@wanted} of #{FILE} is for #{entry.adapter}: #{why}"
      end

      def own_file
        folder = ::Rails.root.join("storage")
        begin
          FileUtils.mkdir_p(folder)
        rescue SystemCallError
          # Whoever opens the file says so.
        end
        "sqlite://#{URI::DEFAULT_PARSER.escape(folder.to_s)}/tasker_#{::Rails.env}.sqlite3"
      end
    end
  end
end
