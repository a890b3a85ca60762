# frozen_string_literal: true

module Support
  # An application's own database, which ActiveRecord is connected to while an example runs: an SQLite file, or the
  # engine's database where that is PostgreSQL. ActiveRecord is loaded when one is first asked for.
  module Application
    # A model of the application's: `Order`, and `Parcel` in a second database.
    class << self
      # Makes the classes.
      def load
        return if @loaded

        require "active_record"
        require "tasker_core/active_record"
        ::ActiveRecord::Migration.verbose = false
        @loaded = true
        define
      end

      private

      def define
        const_set(:Order, Class.new(::ActiveRecord::Base) { self.table_name = "orders" })
        const_set(:OtherRecord, Class.new(::ActiveRecord::Base) { self.abstract_class = true })
        const_set(:Parcel, Class.new(OtherRecord) { self.table_name = "parcels" })
      end
    end

    # @param url [String, nil] a PostgreSQL database; an SQLite file where nil
    def connect_application(url = nil)
      Application.load
      TaskerCore::OrchestrationHandle.transactions = TaskerCore::Transactions
      @application_folder = Dir.mktmpdir("tasker-app")
      file = { adapter: "sqlite3", database: "#{@application_folder}/app.sqlite3", timeout: 5_000 }
      ::ActiveRecord::Base.establish_connection(url || file)
      ::ActiveRecord::Base.connection.create_table(:orders, temporary: !url.nil?) { |table| table.string(:task_id) }
      Application::Order.reset_column_information
    end

    def connect_second_database
      Application::OtherRecord.establish_connection(adapter: "sqlite3", database: "#{@application_folder}/b.sqlite3")
      Application::OtherRecord.connection.create_table(:parcels)
    end

    # What the other specs run without.
    def disconnect_application
      TaskerCore::OrchestrationHandle.transactions = nil
      Application::OtherRecord.remove_connection
      ::ActiveRecord::Base.remove_connection
      FileUtils.rm_rf(@application_folder)
    end

    def order_class = Application::Order

    # How many tasks the engine has.
    def tasks_there = handle.tasks.to_a.map(&:id)
  end
end
