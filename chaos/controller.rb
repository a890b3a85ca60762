# frozen_string_literal: true

require_relative "databases"
require_relative "fleet"
require_relative "journal"
require_relative "patience"
require_relative "schedule"
require_relative "verdict"
require_relative "workflows"

module Chaos
  # Runs workers and tasks on a database while faults happen, and judges what is left.
  class Controller
    # How long tasks may take to end when the last fault is over, in seconds.
    PATIENCE = 120

    # @param database [SqliteDatabase, PostgresDatabase]
    # @param faults [Array<Hash>] see {Schedule}
    # @param options [Hash] `seed`, `workers`, `tasks`, `folder`
    def initialize(database, faults, options)
      @database = database
      @faults = faults
      @options = options
      @done = Hash.new(0)
      @lock = Mutex.new
      @created = []
      @began = Patience.now
    end

    # @return [Boolean] whether all that was promised holds
    def run
      @handle = TaskerCore.open(@database.url)
      Workflows.new(nil).register(@handle)
      @fleet = Fleet.new(@database.url, @options[:folder], @options[:workers])
      creator = Thread.new { create }
      rage
      creator.value
      await_end
      @fleet.dismiss
      judge
    ensure
      @handle&.close
    end

    # @return [Array<String>] what does not hold
    def complaints
      strangers = @fleet.ends.keys - %w[killed exited dismissed]
      [*@verdict.complaints, *strangers.map { |how| "NOT SO: workers end when they are told to\n  a worker #{how}" }]
    end

    # @return [Hash{String => Integer}] what happened, and what came of it
    def figures
      { **@done.sort.to_h.transform_keys { |name| "faults that happened: #{name}" },
        **@fleet.ends.transform_keys { |how| "workers: #{how[0, 20]}" },
        **@verdict.figures.transform_keys { |name| name.to_s.tr("_", " ") },
        "checks" => @verdict.broken.size, "checks that hold" => @verdict.broken.values.count(&:empty?),
        "seconds" => (Patience.now - @began).round }
    end

    private

    # Faults, each at its time. One that goes on for a while has a thread of its own.
    def rage
      began = Patience.now
      threads = @faults.map do |fault|
        sleep([began + fault["at"] - Patience.now, 0].max)
        Thread.new { happen(fault) }
      end
      threads.each(&:join)
    end

    def happen(fault)
      name = fault["fault"]
      took = case name
             when "kill" then @fleet.kill(fault["worker"])
             when "stop" then @fleet.stop(fault["worker"], fault["seconds"])
             else @database.faults.include?(name) && @database.public_send(name, fault)
             end
      @lock.synchronize { @done[name] += 1 } if took
    end

    # Evenly over the time of the faults, so that there is always something to lose.
    def create
      pause = @faults.map { |fault| fault["at"] }.max.to_f / @options[:tasks]
      @options[:tasks].times do |number|
        @created << create_one(number)
        sleep pause
      end
    end

    # With a key: where an answer was lost, asking again finds the task that was made.
    def create_one(number)
      context = { "seed" => @options[:seed], "number" => number }
      Patience.insist do
        @handle.create_task(Workflows.template_of(number), context: context, key: "chaos #{number}",
                                                           on_duplicate: :return).id
      end
    end

    # Whether all did end is for the verdict to say.
    def await_end
      deadline = Patience.now + PATIENCE
      sleep 0.2 until Patience.insist { unfinished.zero? } || Patience.now > deadline
    end

    def unfinished = %w[pending in_progress].sum { |status| @handle.tasks(status: status).count }

    def judge
      @verdict = Verdict.new(@handle, @database, Journal.read("#{@options[:folder]}/journal"), @created)
      complaints.empty?
    end
  end
end
