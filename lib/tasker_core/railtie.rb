# frozen_string_literal: true

require "rails/railtie"
require_relative "rails/database"
require_relative "rails/entry"
require_relative "rails/app_files"
require_relative "rails/luggage"
require_relative "rails/transactions"
require_relative "rails/execution"

module TaskerCore
  # What a Rails app gets: its settings at `config.tasker` (which are those of {TaskerCore.configure}), its logger and
  # `filter_parameters`, a database of its `config/database.yml`, and handlers that run as its requests do. Nothing is
  # opened while it boots. RAILS.md says more.
  #
  # It is loaded by `require "tasker_core"` where Rails is there already, as with Bundler.
  class Railtie < ::Rails::Railtie
    config.tasker = TaskerCore.configuration

    initializer "tasker_core.settings", before: :load_config_initializers do |app|
      settings = app.config.tasker
      settings.file = app.root.join("config/tasker.yml").to_s unless settings.layers.file_given?
      settings.layers.default(:logger) { [::Rails.logger, "Rails.logger"] if ::Rails.logger }
      settings.layers.default(:database_url) { RailsApp::Database.new(settings.database).url }
      settings.layers.default(:filter) do
        names = app.config.filter_parameters.grep_v(Proc)
        [(Filter::NAMES + names).uniq(&:to_s), "default, and Rails' filter_parameters"] unless names.empty?
      end
      OrchestrationHandle.before_open { |url| RailsApp::AppFiles.refuse(url) }
    end

    initializer "tasker_core.execution", before: :load_config_initializers do
      luggage = RailsApp::Luggage.new
      TaskerCore.configuration.task_headers { luggage.pack }
      TaskerCore.configuration.around_attempt(&RailsApp::Execution.new(luggage).method(:call))
    end

    initializer "tasker_core.log" do
      require_relative "rails/log_subscriber"
      RailsApp::LogSubscriber.attach_to(:tasker)
    end

    initializer "tasker_core.schema" do
      ActiveSupport.on_load(:active_record) do
        require_relative "rails/schema_dump"
        RailsApp::SchemaDump.install
      end
    end

    # Where classes are reloaded, a step's handler is looked up by its name, and workflows are registered again.
    config.after_initialize do |app|
      next if app.config.cache_classes

      Handlers.by_name = true
      app.reloader.to_prepare { OrchestrationManager.instance.reload_workflows }
    end
  end
end
