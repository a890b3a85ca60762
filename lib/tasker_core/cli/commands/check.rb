# frozen_string_literal: true

require_relative "../database"
require_relative "../program"

module TaskerCore
  module CLI
    # `tasker check`: settings, database and templates, before anything runs.
    #
    # @api private
    class Check < Command
      FORMATS = %w[text json].freeze
      LEVELS = { "error" => :red, "warning" => :yellow }.freeze
      private_constant :FORMATS, :LEVELS

      summary "Checks settings, database and templates"
      description <<~TEXT

        Settings, with where each value comes from; the connection and the schema of the database; threads against
        connections; and of the program's templates cycles, unknown handlers, what `call` takes, results that are read of
        steps that a step does not depend on, and graphs and schemas that tasks of the same version use otherwise. Nothing
        is changed: no database is made or migrated. Exit code 1 when there is an error, with --strict for a warning too.
      TEXT
      example "tasker check -r app.rb"
      example "tasker check --offline --format json"

      def declare(parser)
        parser.on("-f", "--format FORMAT", "text (default) or json") { |name| options[:format] = name }
        parser.on("--templates DIR", "a folder of YAML files (default: config/tasker, where it is)") do |path|
          options[:templates] = path
        end
        parser.on("--offline", "without a database") { options[:offline] = true }
        parser.on("--strict", "warnings are errors") { options[:strict] = true }
      end

      def call
        wrong("--format: there is no #{options[:format].inspect}") unless [nil, *FORMATS].include?(options[:format])

        load_program
        require_relative "../../checks"
        look
        options[:json] || options[:format] == "json" ? terminal.json(record) : show
        @problems.any? { |problem| problem.error? || options[:strict] } ? FAILED : 0
      end

      private

      def look
        @settings = TaskerCore.configuration.settings
        @database = Database.new(TaskerCore.configuration.database_url)
        @problems = options[:offline] ? [] : @database.problems
        @connections = connections
        @problems += @connections.problems
        @templates = Checks::Templates.new((TaskerCore.handle if !options[:offline] && @database.current?))
        look_at_templates
        @problems += @templates.problems
      end

      def look_at_templates
        Program.workflows.each { |workflow| @templates.check_workflow(workflow) }
        folder = options[:templates] || ("config/tasker" if Dir.exist?("config/tasker"))
        @templates.check_directory(folder) if folder
        registered = OrchestrationManager.instance.current
        @templates.check_registered(registered) if registered
      end

      def connections
        set = TaskerCore.configuration
        Checks::Connections.new(threads: set.threads, pool: set.pool, url: set.database_url, records_pool: records_pool,
                                database: (@database.state unless options[:offline]))
      end

      def records_pool
        defined?(ActiveRecord::Base) && ActiveRecord::Base.connection_pool.size
      rescue StandardError
        nil
      end

      def record
        { ok: @problems.none?(&:error?), settings: @settings.map { |setting| shown(setting) },
          database: (@database.to_h unless options[:offline]), connections: @connections.to_h,
          templates: @templates.found.map { |namespace, name, version| { namespace:, name:, version: } },
          problems: @problems.map(&:to_h) }
      end

      def shown(setting) = { **setting, value: plain(setting[:value]) }

      def plain(value)
        case value
        when nil, true, false, Numeric, String then value
        when Array then value.map { |item| plain(item) }
        else value.inspect
        end
      end

      def show
        section("Settings") { terminal.table(@settings.map { |setting| row(setting) }) }
        section("Database") { terminal.say(options[:offline] ? "not looked at" : @database.to_s) }
        section("Connections") { terminal.say(@connections.to_s) }
        section("Templates") { show_templates }
        show_problems
      end

      def row(setting)
        value = plain(setting[:value])
        value = value.is_a?(Array) ? shortened(value.join(", ")) : value
        [setting[:name], value, terminal.paint(setting[:origin].to_s, :dim)]
      end

      def shortened(text) = text.length > 50 ? "#{text[0, 49]}…" : text

      def show_templates
        return terminal.say("none: -r names a program, --templates a folder") if @templates.found.empty?

        @templates.found.each { |namespace, name, version| terminal.say("#{namespace}/#{name} #{version}") }
      end

      def section(title)
        terminal.say(terminal.paint(title, :bold))
        yield
        terminal.say
      end

      def counted(all, word) = "#{all.size} #{word}#{"s" unless all.one?}"

      def show_problems
        @problems.each { |problem| terminal.say("#{terminal.paint(problem.level, LEVELS[problem.level])}: #{problem}") }
        errors, warnings = @problems.partition(&:error?)
        terminal.say("#{counted(errors, "error")}, #{counted(warnings, "warning")}")
      end
    end
  end
end
