# frozen_string_literal: true

require "etc"
require_relative "../database"
require_relative "../disk"
require_relative "../moments"

module TaskerCore
  module CLI
    # `tasker doctor`: what there is to know of a machine and a database when something is wrong.
    #
    # @api private
    class Doctor < Command
      # How many flushes or commits are measured.
      TRIES = 20
      # A flush this long, in seconds, is worth a word: each commit waits for one.
      SLOW = 0.05
      # A transaction that has been open for as long, in seconds, is worth one, too.
      LONG = 300
      private_constant :TRIES, :SLOW, :LONG

      summary "Tells of versions, database and disk, for a report"
      description <<~TEXT

        Nothing is changed: commits to a server are measured without writing to a table, the disk under an SQLite file on
        a file of its own. Exit code 1 when something is wrong.
      TEXT
      example "tasker doctor --database postgres://localhost/shop"

      def call
        load_program
        require_relative "../../checks"
        @problems = []
        found = { "tasker_core" => library, "Ruby" => ruby, "system" => system, "libraries" => libraries,
                  "database" => database, "disk" => disk, "tasks" => tasks }.compact
        options[:json] ? terminal.json({ **found, problems: @problems.map(&:to_h) }) : show(found)
        @problems.any?(&:error?) ? FAILED : 0
      end

      private

      def library
        extension = $LOADED_FEATURES.find { |path| path.include?("tasker_core_ruby.") }
        { version: VERSION, extension: extension, size: "#{File.size(extension) / 1_048_576} MiB",
          build: (Native.respond_to?(:arm_fault) ? "for tests, with fault points" : "release") }
      end

      def ruby
        jit = defined?(RubyVM::YJIT) && RubyVM::YJIT.respond_to?(:enabled?) && RubyVM::YJIT.enabled?
        { version: RUBY_DESCRIPTION, yjit: jit ? "on" : "off" }
      end

      def system
        uname = Etc.uname
        { kernel: "#{uname[:sysname]} #{uname[:release]} #{uname[:machine]}", libc: libc, processors: Etc.nprocessors,
          open_files: Process.getrlimit(:NOFILE).first }
      end

      def libc
        Etc.confstr(Etc::CS_GNU_LIBC_VERSION)
      rescue NameError, SystemCallError
        "musl, or another one"
      end

      # What of a Rails app is loaded.
      def libraries
        found = { "rails" => "Rails", "activerecord" => "ActiveRecord", "pg" => "PG", "sqlite3" => "SQLite3" }
        loaded = found.select { |_, constant| Object.const_defined?(constant) }
        versions = loaded.keys.to_h { |gem| [gem, Gem.loaded_specs[gem]&.version.to_s] }
        versions.empty? ? nil : versions
      end

      def database
        @database = Database.new(TaskerCore.configuration.database_url, commits: TRIES)
        state = @database.state
        @problems.concat(@database.problems)
        url = Native.redacted_url(@database.url)
        return { url: url, error: @database.error.message } if state.nil?

        slow("a commit", state[:commit_seconds])
        { url: url, product: "#{state[:product]} #{state[:version]}",
          **state.slice(:schema, :newest_schema), **state[:settings].transform_keys(&:to_sym),
          **state.slice(:connections, :max_connections), commit: shown(state[:commit_seconds]),
          oldest_transaction: oldest(state[:oldest_transaction]) }.compact
      end

      # Under an SQLite file.
      def disk
        path = @database.url[%r{\Asqlite:(?!:)(?://)?([^?]+)}, 1] or return
        disk = Disk.new(File.dirname(path))
        locks = disk.locks
        look_at(disk, locks)
        seconds = disk.flush_seconds(TRIES)
        slow("a flush", seconds)
        { folder: disk.folder, file_system: disk.file_system, flush: shown(seconds), locks: locks }.compact
      end

      def look_at(disk, locks)
        problem("error", "one process does not see another's file locks: SQLite needs them") if locks == :ignored
        if disk.network?
          problem("error", "#{disk.file_system} is a network file system, on which SQLite loses data: use a local " \
                           "disk, or PostgreSQL")
        elsif disk.memory?
          problem("warning", "#{disk.file_system} is memory: its files are gone when the machine restarts")
        end
      end

      def slow(what, seconds)
        return unless seconds && seconds > SLOW

        problem("warning", "#{what} takes #{Moments.shown(seconds)}, and every commit waits for one")
      end

      # Of the transactions that are open for more than a second.
      def oldest(transaction)
        seconds, holder = transaction&.values_at(:seconds, :holder)
        return if seconds.nil?

        if seconds > LONG
          problem("warning", "a transaction has been open for #{shown(seconds)} (#{holder}): until it ends, nothing " \
                             "that is claimed can be cleared away, and claims take longer and longer", "database")
        end
        "#{shown(seconds)}, #{holder}"
      end

      def shown(seconds) = seconds && Moments.shown(seconds)

      def problem(level, message, subject = "disk")
        @problems << Checks::Problem.new(level: level, subject: subject, message: message)
      end

      # How the engine is, where opening changes nothing.
      def tasks
        return unless @database.current?

        health = TaskerCore.handle.performance.system_health
        clock_differs(health.at)
        { total: health.total_tasks, ready_steps: health.ready_steps, workers: health.workers,
          expired_leases: health.leases_expired, score: health.score.round(3) }
      end

      # Nothing goes by this machine's clock, but people who compare times do.
      def clock_differs(theirs)
        apart = (Time.now - theirs).abs
        return if apart < 2

        problem("warning", "this machine's and the database's differ by #{Moments.shown(apart)}", "clock")
      end

      def show(found)
        found.each do |title, facts|
          terminal.say(terminal.paint(title, :bold))
          terminal.table(facts.map { |name, value| ["  #{name.to_s.tr("_", " ")}", value] })
        end
        @problems.each { |problem| terminal.say("#{problem.level}: #{problem}") }
        terminal.say("nothing is wrong") if @problems.empty?
      end
    end
  end
end
