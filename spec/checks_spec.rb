# frozen_string_literal: true

require "tasker_core/checks"

RSpec.describe TaskerCore::Checks do
  describe TaskerCore::Checks::ResultReads do
    def reads(handler)
      described_class.of(handler).map(&:name)
    end

    def handler(parent = TaskerCore::StepHandler, &)
      Class.new(parent, &)
    end

    it "finds what blocks and lambdas read" do
      expect(reads(proc { |ctx| [ctx.result(:a), ctx.result("b")] })).to eq %w[a b]
      expect(reads(->(context) { context.result :a })).to eq ["a"]
      expect(reads(proc { |ctx| [ctx.results["a"], ctx.results[:b], ctx.results.fetch("c")] })).to match_array %w[a b c]
      expect(reads(proc do |ctx|
        [1, 2].each { |number| ctx.result(:a) if number > 1 }
        ctx.result(:class)&.fetch("id")
      end)).to match_array %w[a class]
    end

    it "takes nothing for a read that may be something else" do
      other = Struct.new(:result).new(1)
      expect(reads(proc { |ctx| [other.result, ctx.config["a"], ctx.result(ctx.context["name"])] })).to be_empty
      expect(reads(proc { |ctx| ctx.result(:"a#{ctx.attempt}") })).to be_empty
      expect(reads(proc { |other_name| [other_name, other.result] })).to be_empty
      expect(reads(proc { |_ctx| { result: :a } })).to be_empty
    end

    it "finds what a class reads, in its own methods and in those that it inherits" do
      base = handler do
        def call(ctx) = price(ctx) + later(ctx)

        private

        def price(ctx) = ctx.result(:price)
        def later(other) = other.result(:not_seen)
      end
      expect(reads(base)).to eq ["price"]
      expect(reads(handler(base))).to eq ["price"]
      kept = handler do
        def call(ctx)
          @ctx = ctx
          total
        end

        def total = @ctx.result(:sum) + @other.result(:not_seen)
      end
      expect(reads(kept)).to eq ["sum"]
      expect(reads(kept.new)).to eq ["sum"]
      expect(reads(handler { define_method(:call) { |ctx| ctx.result(:made) } })).to eq ["made"]
    end

    it "says nothing of what it can't see" do
      two = [proc { |ctx| ctx.result(:a) }, proc { |ctx| ctx.result(:b) }]
      expect(two.map { |block| reads(block) }).to eq [[], []]
      expect(reads(eval("proc { |ctx| ctx.result(:a) }"))).to be_empty # rubocop:disable Style/EvalWithLocation
      expect(reads("Nowhere::AtAll")).to be_empty
      expect(reads(Object.new)).to be_empty
      expect(reads(method(:puts))).to be_empty
    end

    it "knows the line" do
      read = described_class.of(proc { |ctx| ctx.result(:a) }).first
      expect(read.place).to eq "#{__FILE__}:#{__LINE__ - 1}"
    end
  end

  describe TaskerCore::Checks::Templates do
    def problems(*workflows, with: nil)
      templates = described_class.new(with)
      workflows.each { |found| templates.check_workflow(found) }
      templates.problems.map(&:to_s)
    end

    it "finds results that a step does not depend on" do
      flow = workflow do
        step(:a) { 1 }
        step(:b, depends_on: :a) { |ctx| ctx.result(:a) }
        step(:c, depends_on: :b) { |ctx| ctx.result(:a) }
        step(:d, depends_on: :b) { |ctx| ctx.result(:bb) }
      end
      said = problems(flow)
      expect(said.size).to eq 2
      expect(said.first).to start_with('default/flow 1.0.0 step c: reads the result of "a", but does not depend on ' \
                                       "it: add it to depends_on (#{__FILE__}:")
      expect(said.last).to include('reads the result of "bb", and there is no such step')
    end

    it "is less sure of a handler that is used for several steps" do
      both = Class.new(TaskerCore::StepHandler) { define_method(:call) { |ctx| ctx.result(:a) || ctx.result(:zz) } }
      flow = workflow do
        step(:a) { 1 }
        step :b, both, depends_on: :a
      end
      other = workflow("other") { step :c, both }
      templates = described_class.new(nil)
      [flow, other].each { |found| templates.check_workflow(found) }
      expect(templates.problems.map { |found| [found.level, found.subject, found.message[/"\w+"/]] })
        .to eq [["error", "default/flow 1.0.0 step b", '"zz"'], ["warning", "default/other 1.0.0 step c", '"a"'],
                ["error", "default/other 1.0.0 step c", '"zz"']]
    end

    it "finds what lists and keys of limits read" do
      flow = workflow do
        step(:a) { [1] }
        step(:b) { 1 }
        step(:c, depends_on: :a, each: ->(results) { results[:a] + results["b"] + results.fetch(:d) }) { 1 }
        step(:d, depends_on: :a, limit: { key: ->(ctx) { ctx.result(:b) }, running: 2 }) { 1 }
      end
      expect(problems(flow)).to match [/step c: reads the result of "b", but/, /step c: reads the result of "d", but/,
                                       /step d: reads the result of "b", but/]
    end

    it "finds a `call` that takes no context" do
      none = Class.new(TaskerCore::StepHandler) { define_method(:call) { 1 } }
      two = Class.new { define_method(:call) { |_one, _two| 1 } }
      flow = workflow do
        step :a, none
        step :b, two.new
        step(:c) { 1 }
      end
      expect(problems(flow)).to match [/step a: its handler's `call` takes 0 arguments/,
                                       /step b: its handler's `call` takes 2 arguments; it is called with one/]
    end

    it "finds cycles and unknown handlers without a database" do
      flow = workflow do
        step(:a, depends_on: :b) { 1 }
        step(:b, depends_on: :a) { 1 }
        step :c, "NoSuchHandler"
      end
      expect(problems(flow)).to match [/flow: steps: the steps form a cycle: /, /no constant NoSuchHandler/]
    end

    each_database do
      it "finds a graph that tasks of the same version use otherwise" do
        handle.register(workflow { step(:a) { 1 } })
        handle.create_task("flow")
        changed = workflow do
          step(:a) { 1 }
          step(:b) { 1 }
        end
        expect(problems(changed,
                        with: handle)).to match [/version: .*give the changed template a new version/, /"b" is new/]
        expect(problems(workflow { step(:a) { 2 } }, with: handle)).to be_empty
      end

      it "looks at what was registered with handlers of its own" do
        handle.register({ name: "given", steps: [{ name: "a" }, { name: "b" }] },
                        handlers: { a: ->(_ctx) { 1 }, b: ->(ctx) { ctx.result(:a) } })
        templates = described_class.new(handle)
        templates.check_registered(handle)
        expect(templates.problems.map(&:to_s)).to match [%r{default/given 1.0.0 step b: reads the result of "a"}]
        expect(templates.found).to eq [["default", "given", "1.0.0"]]
      end
    end
  end

  describe TaskerCore::Checks::Connections do
    def sums(**options)
      described_class.new(threads: 5, pool: 5, url: "postgres://localhost/x", **options)
    end

    it "adds up what a process takes" do
      sum = sums(database: { max_connections: 100, connections: 12 }, records_pool: 5)
      expect(sum.to_s).to eq "5 threads, a pool of 5, ActiveRecord's pool of 5, 6 of the server's 100 connections " \
                             "(5 and one to listen), which has 12 now"
      expect(sum.problems).to be_empty
      expect(sums(url: "postgres://localhost/x?pool=9").of_process).to eq 10
      expect(sums(url: "postgres://localhost/x?prepared=false").of_process).to eq 5
      expect(sums(url: "sqlite:a.sqlite3?pool=9").to_s).to eq "5 threads, a pool of 9"
    end

    it "says what does not add up" do
      expect(sums(records_pool: 3).problems.map(&:to_s)).to match [/ActiveRecord's pool has 3 .* for 5 threads/]
      few = sums(database: { max_connections: 11, connections: nil }).problems
      expect(few.map { |problem| [problem.level, problem.message] }).to match [["warning", /two processes/]]
      none = sums(database: { max_connections: 5, connections: nil }).problems
      expect(none.map { |problem| [problem.level, problem.message] }).to match [["error", /up to 6 .* allows 5 in all/]]
    end
  end
end
