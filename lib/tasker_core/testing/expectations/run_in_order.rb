# frozen_string_literal: true

module TaskerCore
  module Testing
    module Expectations
      # That these steps ran, and that each was begun after the one before it. Others may have run between them.
      class RunInOrder < OfATask
        # @param names [Array<Symbol, String>] at least two
        def initialize(*names)
          super()
          @names = names.flatten.map(&:to_s)
          return if @names.size > 1

          raise ValidationError.at("steps", "are at least two", expected: "names of steps", got: @names.inspect)
        end

        # @return [String]
        def description = "run the steps #{@names.join(", ")} in this order"

        private

        def met?
          @names.each { |name| step(name) }
          begun = history.select { |move| move.to == "in_progress" }.filter_map(&:step_name).uniq
          @order = begun & @names
          @order == @names
        end

        def problem
          never = @names - @order
          return "#{never.join(", ")} never ran" unless never.empty?

          "the order was #{@order.join(", ")}"
        end
      end
    end
  end
end
