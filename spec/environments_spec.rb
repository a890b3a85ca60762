# frozen_string_literal: true

module EnvironmentsSpec
  class Tell
    def call(ctx) = [ctx.config, ctx.retry_limit, ctx.timeout]
  end
end

RSpec.describe "Environments of a template" do
  def in_environment(**variables)
    names = %w[TASKER_ENV RAILS_ENV RACK_ENV]
    before = names.to_h { |name| [name, ENV.fetch(name, nil)] }
    names.each { |name| ENV[name] = variables[name.to_sym] }
    yield
  ensure
    before&.each { |name, value| ENV[name] = value }
  end

  def flow(**changes)
    { name: "flow", defaults: { retry_limit: 2 },
      steps: [{ name: "a", handler: EnvironmentsSpec::Tell,
                config: { url: "base", params: { page: 1, deep: { x: 1 } } } },
              { name: "b", handler: EnvironmentsSpec::Tell, depends_on: "a", timeout: 20 }], **changes }
  end

  # What the steps were told.
  def told(template)
    handle = open_handle
    handle.register(template)
    task = handle.create_task("flow")
    handle.work(until: :idle, timeout: 20)
    task.reload.steps.map(&:result)
  end

  def refusal(template)
    handle
    before = census
    error = error_of { handle.register(template) }
    expect(error).to be_a(TaskerCore::ValidationError), "#{error.class}: #{error.message}"
    expect(census).to eq(before)
    error
  end

  each_database do
    it "lay their values deeply over the template's, steps by name, and leave the rest" do
      own_a = { "name" => "a", "config" => { "params" => { deep: { y: 2 } } } }
      test = { defaults: { retry_limit: 7 }, steps: [{ name: :b, timeout: 5 }, own_a] }
      in_environment(TASKER_ENV: "test") do
        a, b = told(flow(environments: { test: test, production: { defaults: { retry_limit: 9 } } }))
        expect(a).to eq([{ "url" => "base", "params" => { "page" => 1, "deep" => { "x" => 1, "y" => 2 } } }, 7, 300.0])
        expect(b).to eq([{}, 7, 5.0])
      end
    end

    it "lay theirs over a limit for every step, and are checked with it" do
      limit = ->(**own) { { defaults: { limit: own } } }
      given = { name: "flow", steps: [{ name: "a", handler: EnvironmentsSpec::Tell }],
                **limit.call(key: "context.customer", running: 2) }
      in_environment(TASKER_ENV: "test") do
        own = { test: limit.call(running: 1), production: limit.call(running: 0) }
        expect(refusal({ **given, environments: own }).path).to eq("environments.production.defaults.limit.running")
        own[:production] = limit.call(key: ->(_) { 1 })
        template = handle.register({ **given, environments: own })
        expect(template.to_h[:defaults]).to eq(limit: { key: "context.customer", running: 1 })
      end
    end

    it "take the place of lists and of single values" do
      own = { steps: [{ name: "a", config: { url: ["one"], params: nil } }] }
      in_environment(TASKER_ENV: "test") do
        expect(told(flow(environments: { test: own }))[0][0]).to eq("url" => ["one"], "params" => nil)
      end
    end

    it "are those of TASKER_ENV, else RAILS_ENV, else RACK_ENV, else development" do
      names = %w[one two three development]
      environments = names.to_h { |name| [name, { steps: [{ name: "a", config: { url: name } }] }] }
      seen = [{ TASKER_ENV: "one", RAILS_ENV: "two", RACK_ENV: "three" }, { RAILS_ENV: "two", RACK_ENV: "three" },
              { RACK_ENV: "three" }, {}, { TASKER_ENV: "", RAILS_ENV: "two" }, { TASKER_ENV: "none", RAILS_ENV: "two" }]
             .map { |variables| in_environment(**variables) { told(flow(environments: environments))[0][0]["url"] } }
      expect(seen).to eq(%w[one two three development two base])
    end

    it "may be empty" do
      in_environment(TASKER_ENV: "test") do
        [nil, {}, { test: nil }, { "test" => {} }].each do |environments|
          expect(told(flow(environments: environments))[1]).to eq([{}, 2, 20.0])
        end
      end
    end

    it "are no part of the registered template" do
      in_environment(TASKER_ENV: "test") do
        template = handle.register(flow(environments: { test: { description: "merged" } }))
        expect(template.to_h).to include(description: "merged")
        expect(template.to_h).not_to include(:environments)
      end
    end

    { "the current one" => "test", "another one" => "production" }.each do |which, name|
      describe "of which #{which} is wrong" do
        around { |example| in_environment(TASKER_ENV: "test") { example.run } }

        it "are refused for a step that doesn't exist, with the nearest that does" do
          template = flow(steps: [{ name: "fetch_cart", handler: EnvironmentsSpec::Tell }],
                          environments: { name => { steps: [{ name: "fetch_card", timeout: 5 }] } })
          expect(refusal(template)).to have_attributes(path: "environments.#{name}.steps[0].name",
                                                       message: include('"fetch_card"', '"fetch_cart"'))
        end

        it "are refused for every fault at once, each at the place where it stands" do
          steps = [{ name: "b", retry_limit: 0 }, { name: "a", timeout: -1, backoff: { base: -1 } }, { timeout: 5 }]
          error = refusal(flow(environments: { name => { steps: steps, version: "1" } }))
          expect(error.faults.map { |fault| fault[:path].delete_prefix("environments.#{name}.") })
            .to contain_exactly("version", "steps[0].retry_limit", "steps[1].timeout", "steps[1].backoff.base",
                                "steps[2].name")
        end

        it "are refused for a key that there isn't, with the nearest" do
          error = refusal(flow(environments: { name => { steps: [{ name: "b", timeot: 3 }] } }))
          expect(error).to have_attributes(path: start_with("environments.#{name}.steps[0]"),
                                           message: include("timeot", '"timeout"'))
        end

        it "are refused for what they make of the whole" do
          error = refusal(flow(environments: { name => { steps: [{ name: "a", depends_on: "b" }] } }))
          expect(error.message).to match(/a → b → a|b → a → b/)
        end

        it "are refused when they are no mapping" do
          [5, [1], "text"].each do |wrong|
            expect(refusal(flow(environments: { name => wrong })).path).to eq("environments.#{name}")
            path = refusal(flow(environments: { name => { steps: wrong } })).path
            expect(path).to start_with("environments.#{name}.steps")
          end
        end

        it "are refused with the line of the file" do
          Tempfile.create(["flow", ".yml"]) do |file|
            file.write(<<~YAML)
              name: flow
              steps:
                - name: a
                  handler: EnvironmentsSpec::Tell
                  retry_limit: 3
              environments:
                #{name}:
                  steps:
                    - name: a
                      retry_limit: 0
            YAML
            file.flush
            expect(refusal(file.path).message).to end_with("(#{file.path}:10)")
          end
        end
      end
    end

    it "are refused when they are no mapping of names" do
      [5, [], "test"].each { |wrong| expect(refusal(flow(environments: wrong)).path).to eq("environments") }
    end

    it "don't need the handlers of the others" do
      in_environment(TASKER_ENV: "test") do
        template = flow(environments: { production: { steps: [{ name: "a", handler: "Only::In::Production" }] } })
        expect(handle.register(template).steps).to eq(%w[a b])
      end
    end
  end
end
