# frozen_string_literal: true

module Support
  # Has Ruby collect garbage at bad moments during every example and in the programs that they start, by hand:
  #
  #   TASKER_GC=stress        at each allocation of the example's own thread and the others; hours for all specs
  #   TASKER_GC=compact       and move what it can, over and over
  #   TASKER_GC=auto_compact  and move what it can, whenever it collects all
  module Garbage
    MODE = ENV.fetch("TASKER_GC", "none")
    # How much longer an example may take; TASKER_PATIENCE says so of a program that is slow for other reasons.
    PATIENCE = ENV.fetch("TASKER_PATIENCE") do
      { "none" => 1, "auto_compact" => 5, "compact" => 10, "stress" => 100 }.fetch(MODE)
    end.to_f

    module_function

    # While the block runs.
    def troubled(&)
      case MODE
      when "stress" then stressed(&)
      when "compact" then compacted(&)
      when "auto_compact" then auto_compacted(&)
      else yield
      end
    end

    def stressed
      GC.stress = true
      yield
    ensure
      GC.stress = false
    end

    def auto_compacted
      GC.auto_compact = true
      yield
    ensure
      GC.auto_compact = false
    end

    def compacted
      compacting = Thread.new do
        loop do
          GC.compact
          sleep 0.01
        end
      end
      yield
    ensure
      compacting.kill.join
    end

    # From now on to the end of this process.
    def trouble
      case MODE
      when "stress" then GC.stress = true
      when "auto_compact" then GC.auto_compact = true
      when "compact" then Thread.new { loop { GC.compact && sleep(0.01) } }
      end
    end
  end
end
