# frozen_string_literal: true

require "json"
require_relative "peer"

module Bench
  module Peers
    # Sidekiq of the newest version that this Debian system offers, unpacked beside it rather than installed, on a Redis
    # that keeps nothing on disk: one process with 5 threads, as it is by default, and no line of log for each job.
    class Sidekiq < Peer
      PLAIN = "Sidekiq, plain jobs"
      JOINED = "Sidekiq, diamonds joined by hand"
      # redis-client for Sidekiq from version 7 on, redis before.
      PACKAGES = %w[ruby-sidekiq ruby-redis-client ruby-redis ruby-connection-pool ruby-rack].freeze

      def initialize(size)
        super
        install
        @redis_port = free_port
        @redis = start("redis-server", "--port", @redis_port.to_s, "--bind", "127.0.0.1", "--save", "",
                       "--appendonly", "no", log: "redis.log")
        soon("Redis") { listening?(@redis_port) }
      end

      def title
        redis = output("redis-server", "--version")[/v=(\S+)/, 1]
        "Sidekiq #{File.basename(bin)[/\d.*/]}, Redis #{redis} without persistence, 5 threads"
      end

      # Plain jobs as many as the diamonds have steps.
      def round
        { PLAIN => rate("plain", @size * 4, 1), JOINED => rate("joined", @size / 4, 4) }
      end

      def stop = finish(@redis)

      private

      def install
        once("unpacked") do
          versions = PACKAGES.filter_map { |name| newest(name) }
          raise Missing, "this system offers no package ruby-sidekiq" if versions.empty?

          output("apt-get", "download", "--quiet", *versions)
          Dir[File.join(folder, "*.deb")].each { |file| output("dpkg-deb", "--extract", file, ".") }
          FileUtils.touch(File.join(folder, "unpacked"))
        end
        output("redis-server", "--version")
      end

      def newest(package)
        line = output("apt-cache", "madison", package).lines.grep(/Packages/).first
        "#{package}=#{line.split("|")[1].strip}" if line
      end

      def gems = Dir[File.join(folder, "usr/share/rubygems-integration/all/gems/*")]
      def bin = gems.find { |path| File.basename(path).start_with?("sidekiq-") }

      def ruby(*arguments)
        libraries = gems.map { |path| File.join(path, "lib") } << File.join(folder, "usr/lib/ruby/vendor_ruby")
        ["ruby", *libraries.select { |path| Dir.exist?(path) }.map { |path| "-I#{path}" }, *arguments]
      end

      # So many jobs a second, or diamonds of `steps` jobs each.
      def rate(kind, count, steps)
        redis("FLUSHALL")
        result = File.join(folder, "result.json")
        FileUtils.rm_f(result)
        env = { "REDIS_URL" => "redis://127.0.0.1:#{@redis_port}/0", "BENCH_RESULT" => result,
                "BENCH_TOTAL" => (count * steps).to_s }
        run(*ruby(source("push.rb"), kind, count.to_s), env: env)
        worker = start(*ruby(File.join(bin, "bin/sidekiq"), "-r", source("jobs.rb"), "-c", "5"), env: env)
        soon("Sidekiq") { File.exist?(result) }
        finish(worker)
        check(count * steps)
        count / JSON.parse(File.read(result)).fetch("seconds")
      end

      # What Sidekiq itself counted once it had ended.
      def check(total)
        same!("jobs processed", total, redis("GET", "stat:processed").to_i)
        same!("jobs failed", 0, redis("GET", "stat:failed").to_i)
        same!("jobs left", 0, redis("LLEN", "queue:default").to_i)
        same!("keys of joins left", "", redis("KEYS", "join:*").strip)
      end

      def redis(*command) = run("redis-cli", "-p", @redis_port.to_s, *command)
    end
  end
end
