# frozen_string_literal: true

require "fileutils"
require_relative "../journal"
require_relative "../patience"
require_relative "../verdict"
require_relative "../workflows"
require_relative "scene"
require_relative "told"

module Chaos
  module Scenes
    # All scenes of one database, several at a time, and the verdict on what they leave.
    class Stage
      # How many scenes are played at a time.
      WIDTH = 6
      # How long the tasks of a scene may take to end when its process is gone, in seconds.
      PATIENCE = 60
      # The scene that begins with an empty database, and so is played first.
      OPENING = "migration"
      # Scenes that are played alone, before others: who finds what a worker lost is whoever looks first, and the fault
      # is in the scene's own process.
      ALONE = [OPENING, "recovering"].freeze
      # Points that a round reaches when it opens its handle, or when something else went wrong: once is all.
      RARE = %w[migration notifier recovering].freeze

      # @param database [SqliteDatabase, PostgresDatabase] an empty one
      # @param options [Hash] `seed`, `folder`, and the `points` to play at; all of them where there are none
      def initialize(database, options)
        @database = database
        @options = options
        @folder = options[:folder]
        @created = {}
        @lock = Mutex.new
        @began = Patience.now
      end

      # @yieldparam scene [Scene] one that is over
      # @return [Boolean] whether all that was promised holds
      def run(&)
        @reached = count
        @scenes = points.map { |point| Scene.new(@database.url, @folder, point, faults(point)) }
        alone = play_alone(&)
        @handle = TaskerCore.open(@database.url, lease: Round::LEASE, pool: WIDTH * 2)
        Workflows.new(Journal.new("#{@folder}/well/journal")).register(@handle)
        alone.each { |scene| finish(scene) }
        play(@scenes - alone, &)
        judge
      ensure
        @handle&.close
      end

      # @return [Array<String>] what does not hold
      def complaints
        broken.reject { |_, found| found.empty? }.map do |check, found|
          "NOT SO: #{check} (#{found.size})\n#{found.first(5).map { |one| "  #{named(one)[0, 1000]}" }.join("\n")}"
        end
      end

      # @return [Hash{String => Integer}] what happened, and what came of it
      def figures
        { "fault points" => @scenes.size, "faults" => @scenes.flat_map(&:faults).sum { |fault| fault["passing"].size },
          **@verdict.figures.transform_keys { |name| name.to_s.tr("_", " ") },
          "checks" => broken.size, "checks that hold" => broken.values.count(&:empty?),
          "seconds" => (Patience.now - @began).round }
      end

      private

      def points
        there = TaskerCore::Native.fault_points(@database.kind)
        @options[:points]&.intersection(there) || there
      end

      # How often a round reaches each point when nothing happens, from an empty database on.
      def count
        @database.empty
        quiet = Scene.new(@database.url, @folder, "quiet", [{ "seed" => @options[:seed] }])
        reached = quiet.ask_once.fetch("reached")
        @database.empty
        reached
      end

      # A point that the work does not reach is in vain: the scene says that nothing happened there.
      def faults(point)
        Scene::ACTIONS.map do |action, times|
          random = Random.new([@options[:seed], point, action].join(" ").sum(32))
          reached = @reached.fetch(point)
          passing = [random.rand(reached.clamp(1..))] if RARE.include?(point)
          passing ||= Array.new(times) { random.rand((reached / times).clamp(2..)) }
          { "point" => point, "action" => action, "passing" => passing, "seed" => @options[:seed] }
        end
      end

      # What counts of the opening are the tasks of its last act.
      def play_alone
        ALONE.filter_map { |name| @scenes.find { |scene| scene.name == name } }.each do |scene|
          scene.run { begin_anew(scene) if scene.name == OPENING }
          yield scene
        end
      end

      def begin_anew(scene)
        @database.empty
        scene.forget
      end

      def play(scenes)
        waiting = Queue.new.tap { |queue| scenes.each { |scene| queue << scene } }
        waiting.close
        players = Array.new(WIDTH) do
          Thread.new do
            while (scene = waiting.pop)
              scene.run
              finish(scene)
              @lock.synchronize { yield scene }
            end
          end
        end
        players.each(&:join)
      end

      # Asks for everything again, because who asked may not have lived to see it, and lets it end.
      def finish(scene)
        tasks = scene.wishes.map do |wish|
          Patience.insist { Round.create(wish) { |name, options| @handle.create_task(name, **options) } }
        end
        tasks.zip(scene.wishes) { |task, wish| @lock.synchronize { @created[task.id] = wish["context"]["scene"] } }
        tasks.each { |task| resume(task) }
        Patience.insist { @handle.work(until: :idle, threads: 2, queues: [scene.name], timeout: PATIENCE) }
      end

      def resume(task)
        Patience.insist { task.resume if task.reload.paused? }
      rescue TaskerCore::StateTransitionError
        # It went on meanwhile.
      end

      def judge
        @verdict = Verdict.new(@handle, @database, Journal.read("#{@folder}/*/journal"), @created.keys)
        complaints.empty?
      end

      def broken
        @broken ||= {
          "every fault happened, and only an abort ends a process" => @scenes.flat_map(&:complaints),
          "what is told is in the history, once and in order" => @scenes.flat_map do |scene|
            Told.broken(scene.folder) { |id| @handle.task(id).history }
          end,
          **@verdict.broken
        }
      end

      # Tells whose tasks are meant.
      def named(text) = text.gsub(/\h{8}(-\h{4}){3}-\h{12}/) { |id| [id, @created[id]].compact.join(" of ") }
    end
  end
end
