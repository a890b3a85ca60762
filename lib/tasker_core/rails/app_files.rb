# frozen_string_literal: true

module TaskerCore
  module RailsApp
    # The SQLite files that the app has for ActiveRecord. The engine refuses a file that is open in this process; these
    # are refused before they are.
    #
    # @api private
    module AppFiles
      class << self
        # @param url [String]
        # @raise [ConfigurationError] when it names one of them
        def refuse(url)
          path = path_of(url) or return
          entry = Database.entries.find { |one| one.adapter.to_s.start_with?("sqlite") && same?(path, one) } or return

          raise ConfigurationError, "#{path} is the app's own database (#{entry.name} in config/database.yml), and " \
                                    "ActiveRecord opens it, too. POSIX file locks belong to the whole process: when " \
                                    "one SQLite library closes the file, the locks of every other library on it are " \
                                    "dropped, and data is lost. Give tasker_core a file of its own, such as " \
                                    "storage/tasker_#{::Rails.env}.sqlite3, which it takes where nothing is said"
        end

        private

        def path_of(url)
          place = url.to_s[/\Asqlite:([^?]*)/, 1]&.delete_prefix("//")
          place = URI.decode_www_form_component(place.gsub("+", "%2B")) if place
          ::File.expand_path(place) if place && !place.empty? && !place.start_with?(":")
        end

        def same?(path, entry)
          theirs = entry.database.to_s.sub(/\Afile:/, "").sub(/\?.*/, "")
          return false if theirs.empty? || theirs.start_with?(":")

          theirs = ::File.expand_path(theirs, ::Rails.root)
          theirs == path || ::File.identical?(theirs, path)
        end
      end
    end
  end
end
