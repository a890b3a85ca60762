# frozen_string_literal: true

module EcommerceSpec
  class ValidateProducts < TaskerCore::StepHandler
    def call(ctx)
      stock = ctx.result(:fetch_products).to_h { |product| [product["id"], product] }
      lines = ctx.result(:fetch_cart)["items"].map { |item| line(item, stock[item["product_id"]]) }
      { "lines" => lines, "total" => lines.sum { |line| line["price"] * line["quantity"] } }
    end

    private

    def line(item, product)
      raise TaskerCore::PermanentError.new("sold out", error_code: "sold_out") if product.nil? || product["stock"].zero?

      { "product_id" => product["id"], "quantity" => item["quantity"], "price" => product["price"] }
    end
  end

  class PublishEvent < TaskerCore::StepHandler::Http
    def request(ctx)
      super.with(method: "POST", json: { topic: ctx.config["topic"], order: ctx.result(:create_order)["id"] })
    end

    def result(_response) = { "published" => true }
  end

  # A shop behind HTTP, with a hook before each answer.
  class Shop
    PRODUCTS = [{ "id" => 1, "price" => 300, "stock" => 5 }, { "id" => 2, "price" => 50, "stock" => 9 }].freeze
    CARTS = { "7" => [{ "product_id" => 1, "quantity" => 2 }, { "product_id" => 2, "quantity" => 1 }] }.freeze

    attr_reader :orders, :events

    def initialize(&before)
      @before = before
      @orders = {}
      @events = []
    end

    def call(asked, socket)
      instead = @before&.call(asked)
      return instead if instead.is_a?(Array)

      answer = answer_to(asked)
      return answer unless instead == :lose_the_answer

      Support::LoopbackServer.reset(socket)
    end

    private

    def answer_to(asked)
      case [asked.verb, asked.path]
      in ["GET", "/products"] then told(PRODUCTS)
      in ["GET", %r{\A/carts/(?<id>.+)\z}] then cart(asked.path[/\d+\z/])
      in ["POST", "/orders"] then told(order(asked), 201)
      in ["POST", "/events"] then told(@events.push(asked.json).size, 202)
      end
    end

    def cart(id)
      CARTS.key?(id) ? told({ id: id.to_i, items: CARTS[id] }) : told({ error: "no cart #{id}" }, 404)
    end

    def order(asked)
      @orders[asked.headers["idempotency-key"]] ||= { **asked.json, "id" => @orders.size + 1 }
    end

    def told(value, status = 200)
      [status, { "Content-Type" => "application/json" }, JSON.generate(value)]
    end
  end
end

RSpec.describe "An e-commerce workflow" do
  template = File.join(__dir__, "ecommerce.yml")
  names = %w[fetch_cart fetch_products validate_products create_order publish_event]

  def in_environment(name, **others)
    variables = { "TASKER_ENV" => name, **others.transform_keys(&:to_s) }
    before = variables.to_h { |variable, _| [variable, ENV.fetch(variable, nil)] }
    ENV.update(variables)
    yield
  ensure
    ENV.update(before)
  end

  # Opens the shop, whose block is called before each answer, and runs a task in the environment test.
  def check_out(context = { cart_id: 7 }, &)
    @shop = EcommerceSpec::Shop.new(&)
    @server = serve { |asked, socket| @shop.call(asked, socket) }
    in_environment("test", SHOP_URL: @server.url) do
      handle.register(File.join(__dir__, "ecommerce.yml"))
      @task = handle.create_task("checkout", namespace: "ecommerce", context: context)
      handle.work(until: :idle, threads: 2, timeout: 30)
      @task.reload
    end
  end

  def completed(task)
    task.history.select { |move| move.step_name && move.to == "complete" }.map(&:step_name)
  end

  # The order in which the steps completed when the shop answers `held` only after `other` is complete.
  def order_when(held, other)
    task = check_out do |asked|
      eventually { @task&.step(other)&.complete? } if asked.path.start_with?(held)
    end
    expect(task).to be_complete
    completed(task)
  end

  each_database do
    {
      "development" => { base_url: "http://localhost:3000", cart: { "full" => true, "debug" => true },
                         products: { "per_page" => 10 }, timeout: 20, limit: 3 },
      "test" => { base_url: "{env.SHOP_URL}", cart: { "full" => true, "test_mode" => true },
                  products: { "per_page" => 2, "test_mode" => true }, timeout: 10, limit: 3 },
      "production" => { base_url: "https://api.shop.example/v1", cart: { "full" => true },
                        products: { "per_page" => 500 }, timeout: 20, limit: 8 },
      "staging" => { base_url: "https://api.shop.example/v1", cart: { "full" => true },
                     products: { "per_page" => 500 }, timeout: 20, limit: 3 }
    }.each do |environment, wanted|
      it "has its own URL and parameters in #{environment}, and the rest of the template" do
        merged = in_environment(environment) { handle.register(template) }.to_h
        steps = merged[:steps].to_h { |step| [step[:name], step] }
        expect(merged[:defaults]).to include(timeout: wanted[:timeout], retry_limit: wanted[:limit],
                                             config: { "base_url" => wanted[:base_url] })
        expect(steps.keys).to eq(names)
        expect(steps["fetch_cart"][:config]).to eq("url" => "/carts/{cart_id}", "query" => wanted[:cart])
        expect(steps["fetch_products"][:config]).to eq("url" => "/products", "query" => wanted[:products])
        expect(steps.transform_values { |step| step[:depends_on] })
          .to eq("fetch_cart" => nil, "fetch_products" => nil, "validate_products" => %w[fetch_cart fetch_products],
                 "create_order" => ["validate_products"], "publish_event" => ["create_order"])
        expect(merged[:input]["properties"]["cart_id"]).to eq("type" => "integer")
      end
    end

    it "overrides single steps in production" do
      steps = in_environment("production") { handle.register(template) }.to_h[:steps]
      create = steps.find { |step| step[:name] == "create_order" }
      expect(create[:retry_limit]).to eq(12)
      expect(create[:config]).to include("url" => "/orders", "timeout" => 15,
                                         "headers" => { "Authorization" => "Bearer {env.SHOP_TOKEN}" })
    end

    it "gives each step what it asked for and what came before it" do
      task = check_out
      expect(task).to be_complete
      expect(task.step(:fetch_cart).result).to eq("id" => 7, "items" => EcommerceSpec::Shop::CARTS["7"])
      expect(task.step(:validate_products).result["total"]).to eq(650)
      expect(task.step(:create_order).result)
        .to eq("id" => 1, "cart_id" => 7, "note" => "cart 7, total 650",
               "lines" => [{ "product_id" => 1, "quantity" => 2, "price" => 300 },
                           { "product_id" => 2, "quantity" => 1, "price" => 50 }])
      expect(task.step(:publish_event).result).to eq("published" => true)
      expect(@shop.events).to eq([{ "topic" => "orders", "order" => 1 }])
      expect(@server.asked.map { |asked| [asked.verb, asked.target] })
        .to contain_exactly(["GET", "/carts/7?full=true&test_mode=true"],
                            ["GET", "/products?per_page=2&test_mode=true"], ["POST", "/orders"], ["POST", "/events"])
    end

    it "runs in either order that its edges allow" do
      rest = %w[validate_products create_order publish_event]
      expect(order_when("/carts", :fetch_products)).to eq(%w[fetch_products fetch_cart] + rest)
      expect(order_when("/products", :fetch_cart)).to eq(%w[fetch_cart fetch_products] + rest)
    end

    it "starts no step before those that it needs are complete" do
      task = check_out
      moves = task.history.to_a
      ended = ->(name) { moves.index { |move| move.step_name == name && move.to == "complete" } }
      begun = ->(name) { moves.index { |move| move.step_name == name && move.to == "in_progress" } }
      task.steps.each { |step| step.depends_on.each { |parent| expect(begun[step.name]).to be > ended[parent] } }
      expect(task.steps.sum { |step| step.depends_on.size }).to eq(4)
    end

    it "ends for good when there is no such cart, after one attempt, and orders nothing" do
      task = check_out({ cart_id: 99 })
      expect(task).to be_error
      expect(task.step(:fetch_cart)).to have_attributes(status: "error", attempts: 1)
      expect(task.error).to include("step" => "fetch_cart", "error_code" => "http_404")
      expect(task.step(:fetch_cart).error["context"])
        .to include("status" => 404, "body" => '{"error":"no cart 99"}',
                    "url" => @server.url("/carts/99?full=…&test_mode=…"))
      expect(task.steps.map(&:status)).to eq(%w[error complete pending pending pending])
      expect(@shop.orders).to eq({})
    end

    it "ends for good when a product is sold out" do
      task = check_out { |asked| json([{ id: 1, price: 1, stock: 0 }]) if asked.path == "/products" }
      expect(task.error).to include("step" => "validate_products", "error_code" => "sold_out")
      expect(@shop.orders).to eq({})
    end

    it "waits as long as a busy service asks, and goes on when it has recovered" do
      answers = [[503, { "Retry-After" => "1" }, "busy"], [503, { "Retry-After" => Time.now.httpdate }, "still"]]
      task = check_out { |asked| answers.shift if asked.path == "/products" }
      expect(task).to be_complete
      expect(task.step(:fetch_products).attempts).to eq(3)
      moves = task.history.select { |move| move.step_name == "fetch_products" }
      failed, again = moves.drop_while { |move| move.to != "waiting_for_retry" }.first(2)
      expect(again.at - failed.at).to be >= 1
    end

    it "ends in error when the service does not recover, and keeps what it said last" do
      task = check_out { |asked| [503, { "Retry-After" => "0" }, "busy"] if asked.path == "/products" }
      expect(task).to be_error
      expect(task.step(:fetch_products)).to have_attributes(attempts: 3, status: "error")
      expect(task.step(:fetch_products).error["context"]).to include("status" => 503, "body" => "busy")
    end

    it "creates an order once, although the answer to the first request is lost" do
      lost = 0
      task = check_out { |asked| :lose_the_answer if asked.path == "/orders" && (lost += 1) == 1 }
      expect(task).to be_complete
      expect(task.step(:create_order)).to have_attributes(attempts: 2, result: a_hash_including("id" => 1))
      expect(@server.asked.count { |asked| asked.path == "/orders" }).to eq(2)
      expect(@shop.orders.size).to eq(1)
    end

    { "text" => { cart_id: "7" }, "a fraction" => { cart_id: 7.5 }, "null" => { cart_id: nil }, "nothing" => {} }
      .each do |what, context|
      it "takes no task whose cart_id is #{what}" do
        error = error_of { check_out(context) }
        expect(error).to be_a(TaskerCore::ValidationError)
        expect(error.message).to include("cart_id")
        expect(count("tasker_tasks")).to eq(0)
      end
    end
  end
end
