# frozen_string_literal: true

# sig/ has the types of everything public, which the documentation tells.
RSpec.describe "The signatures" do
  def self.lacking(*gems)
    missing = gems.find { |name| Gem::Specification.find_all_by_name(name).empty? }
    missing && "#{missing} is not installed"
  end

  def program(source)
    outcome = start_command([RbConfig.ruby, "-W1", "-I#{Support::ROOT}/lib", "-rjson", "-e", source]).outcome
    raise outcome.output unless outcome.success?

    outcome.json
  end

  # What YARD reads, once for all examples.
  read = nil
  define_method(:written) do
    read ||= program(<<~RUBY)
      require "#{Support::ROOT}/bin/lib/signatures"
      puts JSON.generate({ files: Signatures.files("#{Support::ROOT}"), hidden: Signatures.hidden })
    RUBY
  end

  # When everything is loaded: class or module => what is public on it, and what can be called on it or on what includes
  # it.
  def there
    program(<<~'RUBY')
      require "tasker_core"
      require "tasker_core/cli"
      TaskerCore::CLI.names.each { |name| TaskerCore::CLI.command(name) }
      require "active_job"
      require "active_job/queue_adapters/tasker_adapter"
      require "tasker_core/rspec"
      require "tasker_core/minitest"

      modules = []
      look = lambda do |found|
        next if found == TaskerCore::Native || modules.include?(found) # the extension, which is not for users

        modules << found
        inner = found.constants(false).map { |name| found.const_get(name) }.grep(Module)
        inner.each { |one| look.call(one) if one.name&.start_with?("#{found.name}::") }
      end
      look.call(TaskerCore)
      # With those of a module_function, which are private on what includes it.
      names = lambda do |found|
        instances = found.public_instance_methods + found.private_instance_methods(false)
        instances.map { |one| "##{one}" } + found.public_methods.map { |one| ".#{one}" }
      end
      # What Ruby itself gives to a Struct and to a Singleton.
      given = lambda do |found|
        next [] unless found.is_a?(Class)
        next %w[.instance] if found < Singleton

        found < Struct ? found.members.map { |name| "##{name}=" } + %w[.new .[] .members .keyword_init? .inspect] : []
      end
      puts JSON.generate(modules.to_h do |found|
        own = found.public_instance_methods(false).map { |one| "##{one}" } +
              found.singleton_class.public_instance_methods(false).map { |one| ".#{one}" } - given.call(found)
        users = [found, *modules.select { |one| one < found }]
        [found.name, { own: own, all: users.flat_map(&names).uniq }]
      end)
    RUBY
  end

  # Those of Ruby's own that sig/ names.
  def libraries
    YAML.load_file("#{Support::ROOT}/sig/manifest.yaml").fetch("dependencies").map { |library| library["name"] }
  end

  # Reads sig/.
  def builder
    require "rbs"
    loader = RBS::EnvironmentLoader.new
    loader.add(path: Pathname("#{Support::ROOT}/sig"))
    libraries.each { |library| loader.add(library: library, version: nil) }
    RBS::DefinitionBuilder.new(env: RBS::Environment.from_loader(loader).resolve_type_names)
  end

  # As {#there}, but as sig/ says. It fails where a type is not known.
  def declared
    builder = self.builder
    names = builder.env.class_decls.keys.select { |name| name.to_s.match?(/\A::TaskerCore\b/) }
    names.to_h do |name|
      found = { "#" => builder.build_instance(name), "." => builder.build_singleton(name) }
      methods = found.flat_map do |mark, definition|
        ours = definition.methods.select { |_, method| method.defined_in.to_s.match?(/\A::TaskerCore\b/) }
        visible = ours.select { |_, method| method.public? }
        visible.map { |method, one| ["#{mark}#{method}", one.defined_in == name] }
      end
      [name.to_s.delete_prefix("::"), { "all" => methods.map(&:first), "own" => methods.select(&:last).map(&:first) }]
    end
  end

  it "are what `rake sig` writes: run it after a change of what is public", skip: lacking("yard") do
    written["files"].each { |path, text| expect(File.read("#{Support::ROOT}/#{path}")).to eq(text), "run `rake sig`" }
  end

  it "are valid, and of just what there is", skip: lacking("rbs", "yard") do
    hidden = written["hidden"]
    there = self.there.except(*hidden)
    declared = self.declared
    expect([there.keys - declared.keys, declared.keys - there.keys]).to eq([[], []])
    there.each do |name, methods|
      undocumented = methods["own"].reject { |one| hidden.include?("#{name}#{one}") } - declared[name]["all"]
      expect([name, undocumented, declared[name]["own"] - methods["all"] - %w[.new]]).to eq([name, [], []])
    end
  end

  it "are true of what a guide does, and tell what is wrong", skip: lacking("rbs") do
    guide = File.read("#{Support::ROOT}/guides/handlers.md").scan(/^```ruby\n(.*?)^```$/m).join
    options = ["-I", "#{Support::ROOT}/sig", *libraries.flat_map { |library| ["-r", library] }].join(" ")
    watched = { "RBS_TEST_TARGET" => "TaskerCore,TaskerCore::*", "RBS_TEST_OPT" => options,
                "RBS_TEST_RAISE" => "true", "RBS_TEST_LOGLEVEL" => "error" }
    outcome = run_program(<<~RUBY, env: watched, preamble: "require 'rbs/test/setup'\nrequire 'tasker_core'\n")
      #{guide}
      begin
        handle.create_task(Invoice, kontext: {})
      rescue RBS::Test::Tester::TypeError => e
        puts e.message
      end
    RUBY
    expect(outcome).to be_success, outcome.output
    expect(outcome.lines.last).to match(/OrchestrationHandle#create_task.* ArgumentError/)
  end

  it "are packed with the gem" do
    expect(Gem::Specification.load("#{Support::ROOT}/tasker_core.gemspec").files).to include("sig/tasker_core.rbs")
  end
end
