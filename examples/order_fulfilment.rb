# frozen_string_literal: true

# Four orders go through validate → (reserve, charge) → ship. The payment gateway is busy for one of them,
# twice, and says when to come again; it declines another for good.
#
#   ruby -Ilib examples/order_fulfilment.rb
#   ruby -Ilib examples/order_fulfilment.rb --database postgres://user:password@localhost/demo
#
# Kill it in the middle and start it again: the same orders go on where they were.

require "tasker_core"
require_relative "support"

module OrderFulfilment
  # A payment gateway that has good days and bad ones. What it answers follows from the attempt, which is
  # recorded, so that a new process sees the same gateway.
  module Gateway
    BUSY_UNTIL_ATTEMPT = { 1002 => 3 }.freeze
    DECLINED = [1003].freeze

    class Busy < StandardError; end
    class Declined < StandardError; end

    # The key makes charging twice the same as charging once: a handler may run more than once.
    def self.charge(order_id, attempt:, key:)
      sleep 0.3
      raise Busy, "the gateway is busy, come again in 1 s" if attempt < BUSY_UNTIL_ATTEMPT.fetch(order_id, 1)
      raise Declined, "the card was declined" if DECLINED.include?(order_id)

      "charge-#{order_id}-#{key[-4..]}"
    end
  end

  class ValidateOrder < TaskerCore::StepHandler
    def call(ctx)
      order = ctx.context
      total = order["items"].sum { |item| item["price"] * item["quantity"] }
      Demo.ran(ctx, "order #{order["order_id"]}: valid, #{total} in all")
      { "total" => total }
    end
  end

  class ReserveStock < TaskerCore::StepHandler
    def call(ctx)
      sleep 0.5
      skus = ctx.context["items"].map { |item| item["sku"] }
      Demo.ran(ctx, "order #{ctx.context["order_id"]}: reserved #{skus.join(", ")}")
      { "reserved" => skus }
    end
  end

  class ChargeCard < TaskerCore::StepHandler
    def call(ctx)
      order_id = ctx.context["order_id"]
      charge = Gateway.charge(order_id, attempt: ctx.attempt, key: ctx.idempotency_key)
      Demo.ran(ctx, "order #{order_id}: charged #{ctx.result(:validate)["total"]}")
      { "charge_id" => charge }
    rescue Gateway::Busy => e
      Demo.ran(ctx, "order #{order_id}: #{e.message}")
      raise TaskerCore::RetryableError.new(e.message, retry_after: 1)
    rescue Gateway::Declined => e
      Demo.ran(ctx, "order #{order_id}: #{e.message}")
      raise TaskerCore::PermanentError.new(e.message, error_code: "declined")
    end
  end

  class FulfilOrder < TaskerCore::Workflow
    namespace "orders"
    version   "1.0.0"
    input     type: "object", required: %w[order_id items],
              properties: { order_id: { type: "integer" }, items: { type: "array", minItems: 1 } }
    defaults  retry_limit: 3, timeout: 60

    step :validate, ValidateOrder
    step :reserve,  ReserveStock, depends_on: :validate
    step :charge,   ChargeCard,   depends_on: :validate, retry_limit: 5, timeout: 30
    step :ship,     depends_on: %i[reserve charge] do |ctx|
      sleep 0.2
      Demo.ran(ctx, "order #{ctx.context["order_id"]}: on its way")
      { "parcel" => "parcel-#{ctx.context["order_id"]}", "paid_by" => ctx.result(:charge)["charge_id"] }
    end
  end

  ORDERS = {
    1001 => [{ sku: "tea", price: 7, quantity: 2 }],
    1002 => [{ sku: "kettle", price: 39, quantity: 1 }, { sku: "tea", price: 7, quantity: 1 }],
    1003 => [{ sku: "teapot", price: 120, quantity: 1 }],
    1004 => [{ sku: "cup", price: 5, quantity: 6 }]
  }.freeze

  module_function

  def run(argv)
    options = Demo.options(argv, "order_fulfilment.rb", database: "sqlite:tmp/demo/order_fulfilment.sqlite3")
    Demo.title("Order fulfilment: four orders, a gateway that is busy, a card that is declined")
    handle = TaskerCore.open(options[:database])
    handle.register(FulfilOrder)
    tasks = orders(handle, options[:run])
    Demo.say_what_is_recorded(tasks)
    Demo.work(handle)
    show(tasks.map(&:reload))
  ensure
    handle&.close
  end

  # The key belongs to the order: asking for the same order again finds the task that is there.
  def orders(handle, run)
    ORDERS.map do |order_id, items|
      handle.create_task("fulfil_order", namespace: "orders", context: { order_id: order_id, items: items },
                                         key: "#{run}/order-#{order_id}", on_duplicate: :return)
    end
  end

  def show(tasks)
    rows = tasks.flat_map do |task|
      task.steps.map do |step|
        [task.context["order_id"], step.name, step.status, step.attempts, outcome(step)]
      end
    end
    Demo.table(%w[order step status attempts result], rows)
    tasks.each do |task|
      Demo.say "\n  order #{task.context["order_id"]}: #{task.status}" if task.error?
    end
  end

  def outcome(step)
    return step.result.map { |key, value| "#{key} #{Array(value).join(", ")}" }.join("; ") if step.complete?
    return "failed: #{Demo.reason(step)}" if step.status == "error"

    "never ran: a step before it failed" if step.status == "pending"
  end
end

OrderFulfilment.run(ARGV.dup)
