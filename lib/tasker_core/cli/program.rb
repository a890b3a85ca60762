# frozen_string_literal: true

module TaskerCore
  module CLI
    # The user's own code, as a command loads it: `-r FILE`, or the folder of a Rails app, whose `config/environment.rb`
    # is loaded. Then the default handle has what the program registered there, and its named workflow classes besides.
    module Program
      # What makes a folder a Rails app.
      ENVIRONMENT = "config/environment.rb"
      private_constant :ENVIRONMENT

      class << self
        # Loads the engine and the program. A database that the command line names counts before what the program
        # configures.
        #
        # @param path [String, nil] a file or a folder; nil for the Rails app in the current folder, if it is one
        # @param database [String, nil] the URL
        # @return [String, nil] the file that was loaded
        # @raise [UsageError] when there is no such program, or it can't be loaded
        # @raise [ConfigurationError] when the URL is none
        def load(path, database: nil)
          file = path ? file_of(path) : (File.expand_path(ENVIRONMENT) if File.file?(ENVIRONMENT))
          # A Rails app loads the engine itself, once Rails is there: that is when the engine makes itself at home.
          require "tasker_core" unless file&.end_with?("/#{ENVIRONMENT}")
          choose(database) if database
          require_file(file, path || ".") if file
          require "tasker_core"
          file
        end

        # Registers the workflow classes of the program that it has not registered itself: those that have a name and
        # steps.
        #
        # @param handle [OrchestrationHandle]
        # @return [Array<Class<Workflow>>] them
        def register_workflows(handle)
          classes = workflows.reject { |workflow| handle.registry.remembers?(workflow) }
          classes.each { |workflow| handle.register(workflow) }
        end

        # @return [Array<Class<Workflow>>] the program's workflow classes that have a name and steps, in the order in
        #   which they were defined
        def workflows
          Rails.application.eager_load! if rails?
          below(Workflow)
        end

        private

        # The environment counts before what a program says.
        def choose(url)
          Native.check_url(url) if defined?(Native)
          ENV["TASKER_DATABASE_URL"] = url
        rescue ConfigurationError => e
          raise ConfigurationError, "--database: #{e.message}"
        end

        def file_of(path)
          return File.expand_path(path) if File.file?(path)
          raise UsageError.new("-r: there is no #{path}", hint: nil) unless File.directory?(path)

          environment = File.expand_path(ENVIRONMENT, path)
          return environment if File.file?(environment)

          raise UsageError.new("-r: #{path} has no #{ENVIRONMENT}, as a Rails app has; name a file", hint: nil)
        end

        # Whatever the program raises while it is loaded, what its author needs is what, and where.
        def require_file(file, shown)
          require file
        rescue Interrupt, SystemExit, NoMemoryError
          raise
        rescue Exception => e # rubocop:disable Lint/RescueException -- SyntaxError and LoadError are no StandardErrors
          place = e.is_a?(SyntaxError) ? nil : e.backtrace&.find { |line| !line.start_with?(__dir__) }
          raise UsageError.new("#{shown} could not be loaded: #{e.class}: #{e.message}", hint: place && "  at #{place}")
        end

        def rails? = defined?(Rails) && Rails.respond_to?(:application) && Rails.application

        def below(parent)
          parent.subclasses.reverse.flat_map { |child| [child, *below(child)] }
                .select { |workflow| workflow.name && workflow.steps.any? }
        end
      end
    end
  end
end
