# frozen_string_literal: true

# Refunds come in, some of them twice: the same refund is the same task, whoever asks for it. What a request leaves out
# is filled in; a bank that answers nonsense is found out; and then they are searched for.
#
#   ruby -Ilib examples/refunds.rb
#   ruby -Ilib examples/refunds.rb --database postgres://user:password@localhost/demo

require "tasker_core"
require_relative "support"

module Refunds
  # A bank whose answer for one customer makes no sense.
  module Bank
    def self.pay(refund, key)
      amount = refund["customer"]["name"] == "Zeno" ? "half of it" : refund["cents"]
      { "paid" => amount, "receipt" => "receipt-#{key[-4..]}" }
    end
  end

  class Refund < TaskerCore::Workflow
    namespace "payments"
    identity  :context
    search    :order_id, "customer.name"
    input     type: "object", required: %w[order_id cents customer],
              properties: { order_id: { type: "integer" }, cents: { type: "integer", minimum: 1 },
                            currency: { default: "EUR" }, customer: { type: "object", required: ["name"] } }

    step :pay, output: { required: ["paid"], properties: { paid: { type: "integer" } } } do |ctx|
      Bank.pay(ctx.context, ctx.idempotency_key)
    end
    step(:tell, depends_on: :pay) { |ctx| "look out for #{ctx.result(:pay)["paid"]} cents" }
  end

  # The first comes twice, in another order and with the same number in another form.
  REQUESTS = [
    { order_id: 7, cents: 1200, customer: { name: "Ada" } },
    { customer: { name: "Ada" }, cents: 1200.0, order_id: 7, currency: "EUR" },
    { order_id: 8, cents: 500, customer: { name: "Ada" } },
    { order_id: 9, cents: 100, customer: { name: "Zeno" } }
  ].freeze

  module_function

  def run(argv)
    options = Demo.options(argv, "refunds.rb", database: "sqlite:tmp/demo/refunds.sqlite3")
    Demo.title("Refunds: each once, however often it is asked for")
    handle = TaskerCore.open(options[:database])
    tasks = REQUESTS.map { |context| handle.create_task(Refund, context: context, on_duplicate: :return) }
    Demo.say "#{tasks.size} requests are #{tasks.map(&:id).uniq.size} refunds."
    Demo.work(handle)
    look_into(handle)
    show(handle)
  ensure
    handle&.close
  end

  # Whoever is on call leaves a remark on what failed.
  def look_into(handle)
    handle.tasks(namespace: "payments", status: :error).each do |task|
      next unless task.annotations(type: "on_call").empty?

      task.annotate("on_call", { note: "asked the bank", answer: nil }, by: "Grace")
    end
  end

  def show(handle)
    rows = { "customer Ada" => { context: { "customer.name" => "Ada" } }, "order 9" => { context: { order_id: 9 } },
             "looked into" => { annotation: "on_call" }, "this hour" => { created_after: Time.now - 3600 } }
    rows = rows.map do |what, filter|
      found = handle.tasks(namespace: "payments", **filter)
      [what, found.count, found.map { |task| "#{task.context["order_id"]}: #{task.status}" }.join(", ")]
    end
    Demo.table(%w[search found orders], rows)
    handle.tasks(context: { order_id: 9 }).each { |task| Demo.say "\n  #{task.error["message"]}" }
  end
end

Refunds.run(ARGV.dup)
