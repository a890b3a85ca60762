# frozen_string_literal: true

module Bench
  module Work
    # The templates that are measured, as Hashes.
    module Shapes
      module_function

      # One step, then two side by side, then one that needs both.
      def diamond
        { name: "diamond", steps: [{ name: "a" }, { name: "b", depends_on: "a" }, { name: "c", depends_on: "a" },
                                   { name: "d", depends_on: %w[b c] }] }
      end

      # So many steps, one after the other.
      def chain(length)
        { name: "chain_#{length}",
          steps: Array.new(length) { |n| n.zero? ? { name: "s0" } : { name: "s#{n}", depends_on: "s#{n - 1}" } } }
      end

      # So many steps side by side, and one that needs all of them.
      def fan(width)
        sides = Array.new(width) { |n| "s#{n}" }
        { name: "fan_#{width}", steps: [*sides.map { |name| { name: name } }, { name: "join", depends_on: sides }] }
      end

      # Registers a template with one handler for all of its steps.
      def register(handle, template, handler = ->(_ctx) { 1 })
        handle.register(template, handlers: template[:steps].to_h { |step| [step[:name], handler] })
      end
    end
  end
end
