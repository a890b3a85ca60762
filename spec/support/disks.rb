# frozen_string_literal: true

require "open3"

module Support
  # Disks that are full or may not be written to, where this process may make such. An example that can't is skipped,
  # and says why.
  module Disks
    # A folder on a file system of its own, of so many MB.
    def small_disk(megabytes)
      folder = Dir.mktmpdir("tasker-disk")
      (@disks ||= []) << folder
      output, status = Open3.capture2e("mount", "-t", "tmpfs", "-o", "size=#{megabytes}m", "tmpfs", folder)
      skip("no file system can be mounted here: #{output.strip}") unless status.success?

      folder
    rescue Errno::ENOENT
      skip("there is no command mount")
    end

    # Fills the file system of the folder to the last byte; `File.delete` what this gives makes room again.
    def fill(folder)
      ballast = File.join(folder, "ballast")
      File.open(ballast, "wb") { |file| loop { file.syswrite("x" * 4_096) } }
    rescue Errno::ENOSPC
      ballast
    end

    # A folder in which `immutable` works.
    def lockable_folder
      folders = [Dir.tmpdir, "/var/tmp", "/tmp"].uniq.lazy.map { |place| Dir.mktmpdir("tasker-disk", place) }
      folder = folders.find do |made|
        (@disks ||= []) << made
        lockable?(made)
      end
      folder || skip("no file can be made immutable here: it takes Linux, ext4 or the like, and root")
    end

    # While the block runs, nobody can write to the files, not even who has them open.
    def immutable(*files)
      system("chattr", "+i", *files, exception: true)
      yield
    ensure
      system("chattr", "-i", *files)
    end

    def remove_disks
      @disks&.each do |folder|
        system("umount", "-l", folder, err: File::NULL)
        FileUtils.rm_rf(folder)
      end
    end

    private

    def lockable?(folder)
      path = File.join(folder, "try")
      File.open(path, "w") do |file|
        return false unless system("chattr", "+i", path, err: File::NULL)

        file.syswrite("x")
        false
      rescue Errno::EPERM
        true
      ensure
        system("chattr", "-i", path, err: File::NULL)
      end
    end
  end
end
