# frozen_string_literal: true

require "digest"

RSpec.describe "Tasks that are the same" do
  flow = { name: "invoice", namespace: "shop", identity: "context",
           input: { properties: { currency: { default: "EUR" } } }, steps: [{ name: "send" }] }.freeze

  each_database do
    def register(template)
      handle.register(template, handlers: { send: ->(_) { 1 } })
    end

    def create(context, **options)
      handle.create_task("invoice", namespace: "shop", context: context, **options)
    end

    it "have the same context, whatever its order, its numbers and its defaults" do
      register(flow)
      first = create({ order: 7, lines: [{ a: 1, b: 2.5 }] })
      canonical = '["shop","invoice",{"currency":"EUR","lines":[{"a":1,"b":2.5}],"order":7}]'
      expect(first.key).to eq(Digest::SHA256.hexdigest(canonical))
      [{ lines: [{ b: 2.5, a: 1.0 }], order: 7.0 }, { order: 7e0, currency: "EUR", lines: [{ a: 1, b: 2.50 }] }]
        .each do |same|
          expect(create(same, on_duplicate: :return).id).to eq(first.id)
          error = error_of { create(same) }
          expect(error).to be_a(TaskerCore::DuplicateTaskError).and have_attributes(existing_id: first.id)
        end
      expect(create({ order: "7", lines: [{ a: 1, b: 2.5 }] }).id).not_to eq(first.id)
      expect(handle.tasks.count).to eq(2)
    end

    it "are the same when the first one has ended, and in another version" do
      register(flow)
      first = create({ order: 7 })
      handle.work(until: :idle, timeout: 20)
      register({ **flow, version: "2.0.0" })
      again = create({ order: 7 }, on_duplicate: :return)
      expect(again).to have_attributes(id: first.id, status: "complete", version: "1.0.0")
    end

    it "are told apart by a key of their own, which wins" do
      register(flow)
      keys = [create({ order: 7 }), create({ order: 7 }, key: "a"), create({ order: 7 }, key: "b")].map(&:key)
      expect(keys).to match([/\A\h{64}\z/, "a", "b"])
      expect { create({ order: 8 }, key: "a") }.to raise_error(TaskerCore::DuplicateTaskError)
    end

    it "are never the same where the template says nothing, or always_unique" do
      register(flow.except(:identity))
      register({ **flow, name: "other", identity: "always_unique" })
      ids = %w[invoice other].flat_map do |name|
        handle.create_tasks(name, namespace: "shop", contexts: [{ n: 1 }, { n: 1 }])
      end
      expect(ids.uniq.size).to eq(4)
      expect(handle.task(ids.last).key).to be_nil
    end

    it "are found among several that are created at once" do
      register(flow)
      contexts = [{ n: 1 }, { n: 2 }, { n: 1.0 }]
      error = error_of { handle.create_tasks("invoice", namespace: "shop", contexts: contexts) }
      expect(error).to be_a(TaskerCore::DuplicateTaskError).and have_attributes(existing_id: nil, key: /\A\h{64}\z/)
      expect(error.message).to include("contexts[0] and contexts[2]")
      expect(handle.tasks.count).to eq(0)
      ids = handle.create_tasks("invoice", namespace: "shop", contexts: contexts, on_duplicate: :return)
      expect([ids[2], ids.uniq.size, handle.tasks.count]).to eq([ids[0], 2, 2])
      mine = handle.create_tasks("invoice", namespace: "shop", contexts: [{ n: 1 }, { n: 1 }], keys: ["k", nil],
                                            on_duplicate: :return)
      expect(mine).to eq([handle.tasks(key: "k").first.id, ids[0]])
    end

    it "is refused where it is no strategy" do
      expect { register({ **flow, identity: "contxt" }) }.to raise_error(TaskerCore::ValidationError) { |e|
        expect([e.path, e.message]).to match(["identity", /did you mean "context"/])
      }
    end

    it "are one, though 50 threads create it at once", limit: 120 do
      register(flow)
      ready = Queue.new
      threads = Array.new(50) do |n|
        Thread.new do
          ready.pop
          # Half of them by a key, half by the context.
          options = n.even? ? { key: "same" } : {}
          create(n.even? ? { n: n } : { order: 7 }, on_duplicate: n % 4 < 2 ? :raise : :return, **options).id
        rescue TaskerCore::DuplicateTaskError => e
          e.existing_id
        end
      end
      50.times { ready << true }
      ids = threads.map(&:value)
      by_key, by_context = ids.partition.with_index { |_, n| n.even? }
      expect([by_key.uniq.size, by_context.uniq.size, handle.tasks.count]).to eq([1, 1, 2])
    end

    it "are one, though 4 processes create it at once", limit: 120 do
      register(flow)
      programs = Array.new(4) do
        start_program(<<~RUBY)
          handle = TaskerCore.open(ENV.fetch("URL"))
          puts "ready"
          $stdin.gets
          made = 20.times.flat_map do |n|
            [[{ context: { n: n } }], [{ context: { n: n }, key: "k\#{n}" }]].map do |(options)|
              handle.create_task("invoice", namespace: "shop", **options).id
            rescue TaskerCore::DuplicateTaskError => e
              e.existing_id
            end
          end
          puts made.to_json
        RUBY
      end
      programs.each { |program| await_words(program, /ready/, within: 60) }.each { |program| program.say("go") }
      answers = programs.map(&:outcome)
      expect(answers).to all(be_success), answers.map(&:output).join
      expect(answers.map(&:json).uniq.size).to eq(1)
      expect(handle.tasks.count).to eq(40)
    end
  end
end
