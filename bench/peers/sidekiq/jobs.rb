# frozen_string_literal: true

# The jobs that Sidekiq runs in bench/peers.rb.

require "json"
require "sidekiq"

settings = lambda do |config|
  config.redis = { url: ENV.fetch("REDIS_URL") }
  config.logger.level = Logger::WARN
  config[:skip_default_job_logging] = true if config.respond_to?(:[]=)
end
Sidekiq.configure_server(&settings)
Sidekiq.configure_client(&settings)

# Counts every call; says how long all took as soon as the last was made.
module Tally
  TOTAL = ENV.fetch("BENCH_TOTAL").to_i
  @calls = Queue.new

  def self.hit
    @began ||= now
    @calls << 1
    finish if @calls.size == TOTAL
  end

  def self.finish
    text = JSON.generate({ seconds: now - @began })
    draft = "#{ENV.fetch("BENCH_RESULT")}.#{Thread.current.object_id}"
    File.write(draft, text)
    File.rename(draft, ENV.fetch("BENCH_RESULT"))
  end

  def self.now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

class Plain
  include Sidekiq::Job

  def perform(_number) = Tally.hit
end

# The first job of a diamond, which starts the two in the middle.
class Fork
  include Sidekiq::Job

  def perform(number)
    Tally.hit
    2.times { Middle.perform_async(number) }
  end
end

# The one that comes second starts the last.
class Middle
  include Sidekiq::Job

  def perform(number)
    Tally.hit
    done = Sidekiq.redis { |redis| redis.call("INCR", "join:#{number}") }
    Join.perform_async(number) if done == 2
  end
end

class Join
  include Sidekiq::Job

  def perform(number)
    removed = Sidekiq.redis { |redis| redis.call("DEL", "join:#{number}") }
    raise "diamond #{number} was joined twice" unless removed == 1

    Tally.hit
  end
end
