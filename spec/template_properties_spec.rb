# frozen_string_literal: true

module TemplatePropertiesSpec
  class Handler
    def call(_ctx) = 1
  end

  # Templates by chance.
  class Generator
    WORDS = ["a", "B c", "ü-1", "yes", "null", "~", "1", "1.0", "1e3", "2026-01-31", ":sym", "<<", "=", "*x", "&x",
             "!x", "- a", "a: b", "# a", "'", "\"", "{a}", "[a]", "%", "@", "`", "\u{1F600}", "line\nline", " a ",
             "", "\t", "\u0000", "\u0085", "\u2028", "\uFEFF", "0x1F", "12:30", "1_000", "...", "---", "\\",
             "x" * 300].freeze
    NUMBERS = [0, -1, 2**63, (2**64) - 1, -(2**63), 0.1, -0.0, 1e20, 1.5e-300, 100.0].freeze

    def initialize(seed)
      @random = Random.new(seed)
    end

    def template(name)
      steps = Array.new(1 + @random.rand(6)) { |index| "s#{index} #{plain_word}" }
      steps = steps.each_with_index.map { |step, index| step(step, steps.first(index)) }
      { name: name, steps: steps.map { |step| chance? ? with_branches(step, steps) : step },
        **some(namespace: -> { plain_word }, version: -> { "#{@random.rand(20)}.#{@random.rand(20)}.0-rc.1" },
               description: -> { word }, input: -> { schema }, identity: -> { pick(%w[always_unique context]) },
               search: -> { ["a", "b.c", "ü x.1"].first(1 + @random.rand(3)) }, defaults: -> { options }) }
    end

    private

    def step(name, before)
      needed = before.sample(@random.rand(before.size + 1), random: @random)
      needed = needed.first if needed.size == 1 && chance?
      { name: name, handler: "TemplatePropertiesSpec::Handler", **needs(needed),
        **some(description: -> { word }, output: -> { schema }), **options }
    end

    def limit
      { running: 1 + @random.rand(9), **some(key: -> { "context.#{pick(%w[a b.c ü])}" }) }
    end

    def needs(needed)
      return {} unless chance?

      { depends_on: needed, **some(each: -> { [*needed].sample(random: @random)&.then { |name| path(name) } }).compact }
    end

    def path(name) = chance? ? name : "#{name}.#{plain_word}"

    # On a step that fails, no one would choose.
    def with_branches(step, steps)
      after = steps.select { |other| [*other[:depends_on]].include?(step[:name]) }.map { |other| other[:name] }
      branches = after.sample(1 + @random.rand(2), random: @random)
      branches = branches.first if branches.size == 1 && chance?
      branches.empty? || step.key?(:each) ? step : { **step.except(:on_failure), branches: branches }
    end

    def options
      some(retryable: -> { chance? }, retry_limit: -> { 1 + @random.rand(9) }, backoff: -> { backoff },
           timeout: -> { pick([1, 0.5, 3600]) }, queue: -> { plain_word }, priority: -> { @random.rand(-9..9) },
           config: -> { hash(3) }, on_failure: -> { pick(%w[fail skip]) }, interrupt: -> { chance? },
           limit: -> { limit })
    end

    def backoff
      kind = pick(%w[none linear exponential])
      return kind if chance?

      some(kind: -> { kind }, base: -> { 0.25 }, cap: -> { 60 }, jitter: -> { pick([0, 0.5, 1]) })
    end

    def schema
      { type: "object", title: word, properties: { word => { type: "integer", default: 1 } } }
    end

    def value(depth)
      kinds = [-> { word }, -> { pick(NUMBERS) }, -> { pick([true, false, nil]) }]
      kinds += [-> { hash(depth - 1) }, -> { Array.new(@random.rand(4)) { value(depth - 1) } }] if depth.positive?
      pick(kinds).call
    end

    def hash(depth) = Array.new(@random.rand(5)) { [word, value(depth)] }.to_h
    def some(**makers) = makers.select { chance? }.transform_values(&:call)
    def word = pick(WORDS)
    def plain_word = pick(["a", "B c", "ü-1", "yes", "null", "1.0", "2026-01-31", ":sym", "<<", "- a", "{a}"])
    def pick(several) = several.sample(random: @random)
    def chance? = @random.rand < 0.5
  end
end

RSpec.describe "Templates by chance" do
  def class_of(template)
    settings = template.slice(:namespace, :version, :description, :input, :identity, :search, :defaults)
    Class.new(TaskerCore::Workflow) do
      task_name template[:name]
      settings.each { |setting, value| public_send(setting, value) }
      template[:steps].each { |step| step(step[:name], step[:handler], **step.except(:name, :handler)) }
    end
  end

  def file_of(yaml)
    path = File.join(@folder, "template.yml")
    File.write(path, yaml)
    path
  end

  # Without the Symbols that YAML would write as such.
  def yaml_of(template)
    JSON.parse(JSON.generate(template)).to_yaml
  end

  around { |example| Dir.mktmpdir { |folder| (@folder = folder) && example.run } }

  each_database do
    it "are the same through each door, and so is what they print" do
      40.times do |index|
        seed = RSpec.configuration.seed + index
        template = TemplatePropertiesSpec::Generator.new(seed).template("t#{index}")
        first = handle.register(template)
        doors = [class_of(template), file_of(yaml_of(template)), first.to_h, file_of(first.to_yaml), first]
        again = doors.map { |door| handle.register(door) }
        aggregate_failures("seed #{seed}") do
          expect(again.map(&:to_yaml)).to all(eq(first.to_yaml))
          expect(again.map(&:to_h)).to all(eq(first.to_h))
          expect(again).to all(eq(first))
        end
      end
    end
  end
end
