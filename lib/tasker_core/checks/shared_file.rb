# frozen_string_literal: true

module TaskerCore
  module Checks
    # An SQLite file that ActiveRecord is to open too. Two SQLite libraries in one process drop each other's locks, and
    # data is lost: the engine refuses such a file when it finds it open, which is late.
    #
    # @api private
    class SharedFile
      # @param url [String] the engine's
      # @param records [Array<Hash>] the databases that ActiveRecord knows: `adapter`, `database`
      # @param root [String] the folder that their paths start from
      def initialize(url, records, root: Dir.pwd)
        @path = url[%r{\Asqlite:(?!:)(?://)?([^?]+)}, 1]
        @records = records
        @root = root
      end

      # The databases that the loaded ActiveRecord knows.
      #
      # @return [Array<Hash>]
      def self.of_records
        return [] unless defined?(ActiveRecord::Base) && ActiveRecord::Base.respond_to?(:configurations)

        ActiveRecord::Base.configurations.configs_for.map(&:configuration_hash)
      rescue StandardError
        []
      end

      # @return [Array<Problem>]
      def problems
        return [] if @path.nil?

        shared = @records.select { |record| record[:adapter].to_s.start_with?("sqlite") && same?(record[:database]) }
        shared.empty? ? [] : [problem]
      end

      private

      def same?(database)
        return false if database.nil? || database.to_s.start_with?(":memory:", "file:")

        theirs = File.expand_path(database.to_s, @root)
        ours = File.expand_path(@path)
        theirs == ours || (File.exist?(theirs) && File.exist?(ours) && File.identical?(theirs, ours))
      end

      def problem
        Problem.new(level: "error", subject: "database",
                    message: "#{@path} is ActiveRecord's file too, and one process must not have a file open through " \
                             "two SQLite libraries: give tasker_core a file of its own")
      end
    end
  end
end
