# frozen_string_literal: true

require "tasker_core"
require "tasker_core/rails/migrations"

module Tasker
  module Generators
    # `rails generate tasker:outbox`: the migration that makes the table for `transactional: true`, where the
    # application's database is not the one with the tasks.
    class OutboxGenerator < ::Rails::Generators::Base
      include ::ActiveRecord::Generators::Migration

      source_root ::File.expand_path("templates", __dir__)
      desc "The migration that makes the table for `transactional: true`, where the application's database is not " \
           "the one with the tasks"
      class_option :database, type: :string, aliases: "--db", banner: "NAME",
                              desc: "The entry of config/database.yml whose database gets the table"

      # @return [void]
      def create_migration_file
        migration_template("migration.rb.tt", ::File.join(db_migrate_path, "add_tasker_outbox.rb"))
      end

      private

      def rails_version = "#{::Rails::VERSION::MAJOR}.#{::Rails::VERSION::MINOR}"
    end
  end
end
