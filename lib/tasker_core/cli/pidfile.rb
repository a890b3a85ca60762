# frozen_string_literal: true

module TaskerCore
  module CLI
    # A file with the number of this process, which one process at a time can have. It is locked for as long as that
    # lives, so that what a crash left behind is in nobody's way.
    #
    # @api private
    class Pidfile
      # @param path [String, nil] nil for none
      # @raise [Failed] when another process has it
      # @raise [UsageError] when it can't be written
      def initialize(path)
        return unless path

        @path = File.expand_path(path)
        @file = File.open(@path, File::RDWR | File::CREAT, 0o644)
        raise Failed, "#{@path} is that of another process: #{@file.read.strip}" unless lock

        @file.truncate(0)
        @file.write("#{Process.pid}\n")
        @file.flush
      rescue SystemCallError => e
        raise UsageError.new("--pid: #{e.message}", hint: nil)
      end

      def remove
        File.unlink(@path) if @path && File.exist?(@path)
        @file&.close
        @path = @file = nil
      end

      private

      def lock = @file.flock(File::LOCK_EX | File::LOCK_NB)
    end
  end
end
