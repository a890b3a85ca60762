# frozen_string_literal: true

require "tasker_core"
require "tasker_core/rails/migrations"

module Tasker
  module Generators
    # `rails generate tasker:upgrade`: the migration that a newer version of the gem needs, if it needs one.
    class UpgradeGenerator < ::Rails::Generators::Base
      include TaskerCore::RailsApp::Migrations

      source_root ::File.expand_path("templates", __dir__)
      desc "The migration that a newer version of the gem needs, if it needs one"

      # @return [void]
      def create_migration_file
        @newest = TaskerCore::Migration.newest
        there = version_there
        return say("The migrations come to version #{there} of the tables, the newest.") if there >= @newest

        write_migration("migration.rb.tt", "upgrade_tasker_core_to_#{@newest}.rb")
      end
    end
  end
end
