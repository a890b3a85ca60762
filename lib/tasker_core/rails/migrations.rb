# frozen_string_literal: true

require "rails/generators"
require "rails/generators/active_record"

module TaskerCore
  module RailsApp
    # What generators that write a migration share.
    #
    # @api private
    module Migrations
      def self.included(generator)
        generator.include(::ActiveRecord::Generators::Migration)
        generator.class_option :database, type: :string, aliases: "--db", banner: "NAME",
                                          desc: "The entry of config/database.yml whose database has the tasks"
      end

      private

      # Writes the migration where the tasks are in PostgreSQL.
      def write_migration(template, file)
        return migration_template(template, ::File.join(db_migrate_path, file)) if postgres?

        say "The tasks are in an SQLite file, which is migrated when it is opened: no migration."
      end

      def postgres?
        entries = Database.entries
        entry = entries.find { |one| one.name == (options[:database] || "primary") } || (entries.first unless named?)
        raise ::Thor::Error, no_entry(entries) unless entry || !named?

        !entry.nil? && entry.adapter.match?(/\Apost(gresql|gis)\z/)
      end

      def named? = !options[:database].nil?

      def no_entry(entries)
        "config/database.yml has no entry #{options[:database]} for #{::Rails.env}" \
          "#{Nearest.hint(options[:database], entries.map(&:name))}"
      end

      def rails_version = "#{::Rails::VERSION::MAJOR}.#{::Rails::VERSION::MINOR}"

      # What the migrations that are there come to; 0 where there is none.
      def version_there
        pattern = /TaskerCore::Migration\.migrate!\(connection, to: (\d+)\)/
        Dir[::File.join(destination_root, db_migrate_path, "*.rb")]
          .flat_map { |path| ::File.read(path).scan(pattern).flatten.map(&:to_i) }.max || 0
      end
    end
  end
end
