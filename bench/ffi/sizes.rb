# frozen_string_literal: true

module Bench
  module FFI
    # A context with 500 values in a hundred records.
    LINES = Array.new(100) do |n|
      { "sku" => "sku-#{1_000 + n}", "title" => "Article number #{n}", "quantity" => (n % 7) + 1,
        "price" => (n * 1.25) + 0.99, "express" => n.even? }
    end

    # The contexts that cross the boundary, by the number of values in them.
    SIZES = {
      "5 fields" => { "order_id" => 1_001, "customer" => "Ada Lovelace", "total" => 129.95, "express" => true,
                      "note" => nil },
      "25 fields" => {
        "order" => { "id" => 1_001, "placed_at" => "2026-01-31T12:00:00Z", "currency" => "EUR", "express" => true },
        "customer" => { "id" => 7, "name" => "Ada Lovelace", "email" => "ada@example.com",
                        "address" => { "street" => "12 St James's Square", "city" => "London", "zip" => "SW1Y 4JH",
                                       "country" => "GB" } },
        "lines" => LINES.first(2), "discount" => nil, "tags" => %w[gift first], "note" => "leave at the door"
      },
      "500 fields" => { "lines" => LINES }
    }.freeze

    # An open database with a task for each size.
    class World
      attr_reader :handle, :tasks

      def initialize
        @handle = TaskerCore.open("sqlite::memory:")
        @handle.register({ name: "order", steps: [{ name: "ship", handler: ->(_) {} }] })
        @tasks = SIZES.transform_values { |context| @handle.create_task("order", context: context) }
      end

      # Another task of that size.
      def task(size) = @handle.create_task("order", context: SIZES.fetch(size))
    end
  end
end
