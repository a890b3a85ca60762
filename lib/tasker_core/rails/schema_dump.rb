# frozen_string_literal: true

require "stringio"

module TaskerCore
  module RailsApp
    # Keeps the tables of tasker_core out of `schema.rb`, which can't say all that they are, and has it call
    # {Migration.migrate!} instead; and has `structure.sql`, which holds them as they are, say which version that is.
    #
    # @api private
    module SchemaDump
      TABLES = /\Atasker_/

      # Around ActiveRecord's SchemaDumper.
      module Dumper
        def dump(stream)
          version = SchemaDump.version(@connection)
          @with_tasks = version.positive?
          return super unless @with_tasks

          text = StringIO.new
          super(text)
          stream << SchemaDump.adapt(text.string, version)
        end

        private

        # (ActiveRecord's own list of tables to ignore holds for structure.sql, too, and must not have patterns in it.)
        # An application's database without the tasks may have an outbox, which is a table as any other.
        def ignored?(table_name) = super || (@with_tasks && TABLES.match?(table_name))
      end

      # Around ActiveRecord's DatabaseTasks.
      module Structure
        def structure_dump(configuration, filename, *)
          super.tap { SchemaDump.append_versions(filename, ::ActiveRecord::Base.connection) }
        end
      end

      class << self
        def install
          ::ActiveRecord::SchemaDumper.prepend(Dumper)
          ::ActiveRecord::Tasks::DatabaseTasks.singleton_class.prepend(Structure)
        end

        # The version of the tables in a database that may have them; 0 otherwise.
        def version(connection)
          connection.adapter_name.match?(/\Apost(gresql|gis)\z/i) ? Migration.version(connection) : 0
        end

        # Newer Rails say what types there are.
        def adapt(text, version)
          lines = text.lines.grep_v(/\A\s*create_enum "(public\.)?tasker_/)
          last = lines.rindex { |line| line.start_with?("end") } || lines.size
          lines.insert(last, "\n", "  TaskerCore::Migration.migrate!(connection, to: #{version})\n").join
        end

        def append_versions(filename, connection)
          version = version(connection)
          return if version.zero?

          values = (1..version).map { |number| "(#{number})" }.join(", ")
          ::File.write(filename, "INSERT INTO tasker_schema_migrations (version) VALUES #{values};\n\n", mode: "a")
        end
      end
    end
  end
end
