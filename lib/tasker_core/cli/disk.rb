# frozen_string_literal: true

require "fcntl"
require "rbconfig"
require "tempfile"

module TaskerCore
  module CLI
    # The disk under an SQLite file: what a flush costs there, which file system it is, and whether one process sees the
    # locks of another. All of it is tried on a file of its own, which is deleted.
    #
    # @api private
    class Disk
      # File systems on which SQLite's write-ahead log, which needs shared memory, does not work between hosts.
      NETWORK = %w[nfs nfs4 cifs smb3 smbfs 9p fuse.sshfs afs ceph glusterfs].freeze
      MEMORY = %w[tmpfs ramfs].freeze
      # struct flock of Linux on 64 bits: type, whence, start, length, pid.
      LOCK = "s!s!x4q!q!l!"
      # Tries for the lock of the whole file, and says whether it got it.
      TRY = <<~RUBY.freeze
        require "fcntl"
        lock = [Fcntl::F_WRLCK, IO::SEEK_SET, 0, 0, 0].pack(#{LOCK.inspect})
        begin
          File.open(ARGV[0], "r+") { |file| file.fcntl(Fcntl::F_SETLK, lock) }
          puts "got it"
        rescue Errno::EAGAIN, Errno::EACCES
          puts "locked"
        end
      RUBY
      private_constant :NETWORK, :MEMORY, :LOCK, :TRY

      # @return [String] the folder
      attr_reader :folder

      # @param folder [String]
      def initialize(folder)
        @folder = File.expand_path(folder)
      end

      # @param count [Integer]
      # @return [Float, nil] seconds that half of so many flushes of a page took at the most; nil where nothing can be
      #   written
      def flush_seconds(count)
        times = on_a_file { |file| Array.new(count) { flushed(file) } }
        times && times.sort[times.size / 2]
      end

      # @return [Symbol, nil] `:work`, `:ignored`, or nil where it can't be told
      def locks
        return unless RUBY_PLATFORM.include?("linux") && [nil].pack("p").size == 8

        on_a_file do |file|
          file.fcntl(Fcntl::F_SETLK, [Fcntl::F_WRLCK, IO::SEEK_SET, 0, 0, 0].pack(LOCK))
          said = IO.popen([RbConfig.ruby, "--disable-gems", "-e", TRY, file.path], &:read)
          { "locked\n" => :work, "got it\n" => :ignored }[said]
        end
      end

      # @return [String, nil] the type of its file system; nil where it can't be told
      def file_system
        mounts = File.readlines("/proc/mounts").map { |line| line.split.values_at(1, 2) }
        mounts.select { |point, _| folder == point || folder.start_with?("#{point.chomp("/")}/") }
              .max_by { |point, _| point.length }&.last
      rescue SystemCallError
        nil
      end

      # @return [Boolean]
      def network? = NETWORK.include?(file_system)

      # @return [Boolean]
      def memory? = MEMORY.include?(file_system)

      private

      def on_a_file(&)
        Tempfile.create("tasker-doctor", folder, &)
      rescue SystemCallError, NotImplementedError
        nil
      end

      def flushed(file)
        file.pwrite("\0" * 4_096, 0)
        started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
        file.fdatasync
        Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
      end
    end
  end
end
