# frozen_string_literal: true

module Bench
  # How much memory things keep, seen from outside: what a fresh process grows by.
  module Retained
    module_function

    # Bytes for each of `count` things that the block makes and that are kept.
    def bytes(count, &)
      filler = fill
      before = resident
      kept = Array.new(count, &)
      3.times { GC.start }
      grown = resident - before
      raise "nothing was kept" if kept.size + filler.size < count

      grown.to_f / count
    end

    # Takes the free places of Ruby's heap, so that new objects need new memory.
    def fill
      3.times { GC.start }
      Array.new(GC.stat(:heap_free_slots)) { Object.new }
    end

    def resident
      File.read("/proc/self/smaps_rollup")[/^Private_Dirty:\s+(\d+) kB/, 1].to_i * 1_024
    end

    private_class_method :fill, :resident
  end
end
