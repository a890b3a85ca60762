# frozen_string_literal: true

module Support
  # Jobs of ActiveJob's, which is loaded when they are first asked for.
  module Jobs
    # Found by its GlobalID.
    module Findable
      def find(id) = new(id.to_i)
    end

    # What the jobs did; each example begins with none.
    class << self
      attr_accessor :log

      def load
        return if @loaded

        require "active_job"
        require "global_id"
        require "tasker_core/active_job"
        ::ActiveJob::Base.logger = nil
        GlobalID.app = "specs"
        @loaded = true
        define
      end

      private

      def define
        const_set(:Busy, Class.new(StandardError))
        const_set(:Gone, Class.new(StandardError))
        const_set(:Person, person)
        base = const_set(:Base, Class.new(::ActiveJob::Base) { self.queue_adapter = :tasker })
        const_set(:Plain, Class.new(base) { def perform(*given) = Jobs.log << given })
        const_set(:Moody, moody(base))
        const_set(:Mailer, mailer(base))
      end

      def person
        Struct.new(:id) do
          include GlobalID::Identification
          extend Findable
        end
      end

      # Fails as its argument says; what retry_on, discard_on and rescue_from do is to be seen.
      def moody(base)
        Class.new(base) do
          retry_on(Busy, wait: 0, attempts: 3)
          discard_on(Gone)
          rescue_from(KeyError) { |error| Jobs.log << error.message }
          after_perform { Jobs.log << "performed" }

          def perform(mood)
            Jobs.log << [mood, executions, job_id]
            kind = { "busy" => Busy, "gone" => Gone, "key" => KeyError, "bad" => ArgumentError }[mood]
            kind ? raise(kind, mood) : mood
          end
        end
      end

      def mailer(base)
        Class.new(base) do
          queue_as :mailers
          queue_with_priority 7

          def perform(to, subject: "hello", **more)
            { "to" => to << "!", "subject" => subject, **more.transform_keys(&:to_s) }
          end
        end
      end
    end

    # The default handle, on the example's database.
    def use_jobs
      Jobs.load
      Jobs.log = Queue.new
      TaskerCore.configuration.database_url = database.url
    end

    def forget_jobs
      TaskerCore::OrchestrationHandle.jobs = nil
      TaskerCore::OrchestrationManager.instance.close
      TaskerCore.configuration.database_url = nil
    end

    def logged = Array.new(Jobs.log.size) { Jobs.log.pop }
  end
end
