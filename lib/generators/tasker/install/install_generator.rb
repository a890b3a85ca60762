# frozen_string_literal: true

require "tasker_core"
require "tasker_core/rails/migrations"

# What `rails generate tasker:…` does.
module Tasker
  # The generators of tasker_core.
  module Generators
    # `rails generate tasker:install`: settings, an initializer, `bin/tasker`, a line in the Procfile, and a migration
    # where the tasks are in PostgreSQL.
    class InstallGenerator < ::Rails::Generators::Base
      include TaskerCore::RailsApp::Migrations

      source_root ::File.expand_path("templates", __dir__)
      desc "Settings, an initializer, bin/tasker, a line in the Procfile, and a migration for PostgreSQL"

      # @return [void]
      def check_database = postgres?

      # @return [void]
      def copy_settings
        template "tasker.yml.tt", "config/tasker.yml"
        template "initializer.rb.tt", "config/initializers/tasker.rb"
      end

      # @return [void]
      def copy_command
        copy_file "tasker", "bin/tasker"
        chmod "bin/tasker", 0o755
      end

      # @return [void]
      def add_to_procfiles
        line = "worker: bin/tasker work\n"
        found = %w[Procfile Procfile.dev].select { |file| ::File.exist?(::File.join(destination_root, file)) }
        found.each do |file|
          text = ::File.read(::File.join(destination_root, file))
          append_to_file(file, "#{"\n" unless text.empty? || text.end_with?("\n")}#{line}") unless text.include?(line)
        end
        create_file("Procfile", "web: bin/rails server\n#{line}") if found.empty?
      end

      # @return [void]
      def make_folders
        empty_directory "app/workflows"
        empty_directory "app/steps"
        empty_directory "storage"
        create_file "storage/.keep", "" unless ::File.exist?(::File.join(destination_root, "storage/.keep"))
      end

      # @return [void]
      def ignore_database
        return unless ::File.exist?(::File.join(destination_root, ".gitignore"))

        text = ::File.read(::File.join(destination_root, ".gitignore"))
        append_to_file(".gitignore", "\n/storage/tasker_*\n") unless text.match?(%r{^/storage/(\*|tasker_)})
      end

      # @return [void]
      def create_migration_file
        return say("There is a migration for tasker_core already.") if version_there.positive?

        write_migration("migration.rb.tt", "install_tasker_core.rb")
      end

      # @return [void]
      def say_what_comes_next
        say "\nNext:"
        say "  bin/rails db:migrate"
        say "  bin/rails generate tasker:workflow Order validate charge ship"
        say "  bin/tasker work"
      end
    end
  end
end
