# frozen_string_literal: true

require "json"
require "tasker_core"
require_relative "../journal"
require_relative "../patience"
require_relative "../workflows"
require_relative "told"

module Chaos
  module Scenes
    # A life of a handle in the process in which a fault happens, from its opening to its end: it creates tasks, works
    # on them, pauses and resumes one, waits for them, and listens to what happens. A call that a fault broke is made
    # again, as a user would.
    class Round
      # Seconds for which claims hold without renewal. A delay takes longer.
      LEASE = 1
      DELAY = 1.3
      # How long the fault is waited for, and how long tasks are, in seconds.
      PATIENCE = 20
      # What a round creates: one alone, which an idle worker takes at once, then others, all at the same time; and the
      # later ones until the fault has happened. Wide tasks cost most, and are there where there is most to lose.
      FIRST = %w[diamond].freeze
      TEMPLATES = %w[chain flaky diamond slow].freeze
      WIDE = %w[fan].freeze
      LATER = %w[diamond slow].freeze
      # What else is armed to make a point be reached: leases are lost only where a worker is.
      PRELUDES = { "recovering" => ["dispatcher", "panic", 4] }.freeze
      # What a fault may make of a call. A handle that says it was closed, though nobody has closed it, is none of them.
      BROKEN = [TaskerCore::InternalError, TaskerCore::ValidationError, TaskerCore::DatabaseError,
                TaskerCore::TimeoutError].freeze

      # @param fault [Hash] `point`, `action`, and `passing`: how often the point is passed before each time that it
      #   happens; without a point nothing happens
      def initialize(url, folder, queue, fault)
        @url = url
        @folder = folder
        @queue = queue
        @fault = fault
        @point, @action = fault.values_at("point", "action")
        @workflows = Workflows.new(Journal.new("#{folder}/journal"))
        @asked = File.new("#{folder}/asked.jsonl", "a")
        @laps = 0
      end

      # @return [Hash] `happened`; `listens`: whether the subscriber was there to the end, `missed`: how many events it
      #   was told that it missed; `reached`: how often each point was
      def run
        arm
        open
        lap(FIRST)
        lap(TEMPLATES + (@action == "abort" ? WIDE : []))
        lap(LATER) until happened? || late?
        insist { @subscription.flush }
        seen = { listens: @subscription.active?, missed: @subscription.dropped }
        close
        { happened: happened?, **seen, laps: @laps, reached: TaskerCore::Native.faults_reached }
      ensure
        TaskerCore::Native.disarm_faults
      end

      # @yield the template's name and the options of a creation that may be repeated
      def self.create(wish)
        yield wish["name"], { key: wish["key"], queue: wish["queue"], context: wish["context"],
                              on_duplicate: :return }
      end

      private

      def insist(**options, &) = Patience.insist(of: BROKEN, **options, &)

      def arm
        @fault.fetch("passing", []).each do |passing|
          TaskerCore::Native.arm_fault_later(@point, @action, passing, DELAY)
        end
      end

      # Another process may be the first to find what was lost: then once more.
      def arm_prelude
        prelude = PRELUDES[@point]
        TaskerCore::Native.arm_fault_later(*prelude, 0.0) if prelude && !happened?
      end

      def happened? = TaskerCore::Native.faults_left.zero?

      def late? = Patience.now > @deadline

      def open
        @deadline = Patience.now + PATIENCE
        @handle = insist { TaskerCore.open(@url, lease: LEASE) }
        insist { @workflows.register(@handle) }
        told = Told.new(@folder)
        @subscription = insist { @handle.subscribe("task.*", "step.*", on_error: ->(*) {}) { |event| told.add(event) } }
        @worker = insist { @handle.worker(threads: 4, queues: [@queue], on_error: ->(*) {}) }
        insist { @worker.start }
      end

      def lap(names)
        @laps += 1
        arm_prelude
        tasks = names.map { |name| Thread.new { ask(name) } }.map(&:value)
        tasks.each { |task| insist(within: PATIENCE) { task.wait(timeout: PATIENCE) } }
      end

      # What is asked for is written down before: a process that ends may have created it.
      def ask(name)
        wish = { "name" => name, "key" => "#{@queue} #{@action} #{@laps} #{name}", "queue" => @queue,
                 "context" => { "seed" => @fault["seed"], "number" => @laps, "scene" => "#{@point} #{@action}" } }
        @asked.syswrite("#{JSON.generate(wish)}\n")
        task = Round.create(wish) { |given, options| insist { @handle.create_task(given, **options) } }
        hold(task) if name == "slow"
        task
      end

      def hold(task)
        insist { task.pause }
        insist { task.resume }
      rescue TaskerCore::StateTransitionError
        # It has ended, or an earlier try was carried out.
      end

      def close
        insist { @worker.stop(timeout: 5) }
        @subscription.cancel
        insist { @handle.close }
      end
    end
  end
end
