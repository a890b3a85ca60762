# frozen_string_literal: true

require "rubygems/package"

RSpec.describe "The gem" do
  def root(*path) = File.join(Support::ROOT, *path)

  let(:gemspec) { Gem::Specification.load(root("tasker_core.gemspec")) }

  def sources(*folders)
    folders.flat_map { |folder| Dir[root(folder, "**/*.rs")] }.reject { |path| path.include?("/target/") }
  end

  # The code of a source file: no comments.
  def code(path)
    File.readlines(path).reject { |line| line.lstrip.start_with?("//") }.join
  end

  it "has the version of its crates" do
    manifests = [root("Cargo.toml"), root("ext/tasker_core/Cargo.toml")].map { |path| File.read(path) }
    workspace = manifests[0][/^\[workspace\.package\].*?^version = "(.+?)"/m, 1]
    versions = manifests.map { |text| text[/^version = "(.+?)"/, 1] || workspace }
    expect(versions).to all(eq(TaskerCore::VERSION))
    expect(gemspec.version.to_s).to eq(TaskerCore::VERSION)
  end

  it "needs no gem but rb_sys, which compiles it, and logger, which Ruby 4.0 has as a gem" do
    expect(gemspec.runtime_dependencies.map(&:name)).to contain_exactly("rb_sys", "logger")
    required = Dir[root("lib/**/*.rb")].flat_map { |path| File.read(path).scan(/^\s*require "([^"]+)"/).flatten }
    expect(required.grep(/rb_sys/)).to eq([])
  end

  it "needs only logger where it brings its extension" do
    Dir.mktmpdir do |folder|
      # In the extension's place the interpreter, which is smaller.
      made = start_command(["rake", "--silent", "package:platform[#{RbConfig.ruby},#{folder}]"], folder: root).outcome
      raise made.output unless made.success?

      packed = Gem::Package.new(Dir["#{folder}/*.gem"].first).spec
      expect(packed.runtime_dependencies.map(&:name)).to eq(["logger"])
      expect(packed.extensions).to eq([])
    end
  end

  it "brings everything that compiling and running need" do
    expect(gemspec.files.reject { |path| File.file?(root(path)) }).to eq([])
    needed = Dir.chdir(root) { Dir["lib/**/*.rb", "src/**/*.{rs,sql}", "ext/**/*.rs"] }
    needed += %w[Cargo.toml Cargo.lock ext/tasker_core/Cargo.toml ext/tasker_core/extconf.rb LICENSE README.md]
    expect(needed.reject { |path| path.include?("/target/") } - gemspec.files).to eq([])
    expect(gemspec.files.grep(%r{\.(so|bundle|o|sqlite3)\z|target/})).to eq([])
  end

  # bin/test-package looks at an installed gem.
  it "has what only tests need where tests ask for it, and not when it is installed" do
    expect(TaskerCore::Native).to respond_to(:arm_fault)
    expect(File.read(root("ext/tasker_core/extconf.rb"))).not_to match(/feature/i)
    %w[Cargo.toml ext/tasker_core/Cargo.toml].each do |manifest|
      expect(File.read(root(manifest))[/^\[features\].*?(?=^\[|\z)/m]).not_to match(/^default/)
    end
  end

  it "loads nothing but itself and the standard library" do
    loaded = ask_program(<<~RUBY, preamble: "")
      before = Gem.loaded_specs.keys # what Ruby loads by itself is no default gem everywhere
      require "json"
      require "tasker_core"
      handle = TaskerCore.open("sqlite::memory:")
      handle.close
      puts JSON.generate(Gem.loaded_specs.reject { |_, spec| spec.default_gem? }.keys - before - ["logger"])
    RUBY
    expect(loaded).to eq([])
  end

  it "starts no thread and opens no file when it is required" do
    before, after = ask_program(<<~RUBY, preamble: "")
      look = -> { [Dir.children("/proc/self/task").size, Dir.children("/proc/self/fd").size] }
      require "json"
      require "logger"
      require "socket"
      before = look.call
      require "tasker_core"
      puts JSON.generate([before, look.call])
    RUBY
    expect(after).to eq(before)
  end

  # A class that is looked up on first use is looked up under a lock of Rust's, in which Ruby may switch threads:
  # two that meet there wait for each other for ever.
  it "has looked up all of its classes when it was required" do
    looked_up, status = ask_program(<<~RUBY)
      LOOKED_UP = []
      Object.singleton_class.prepend(Module.new do
        def const_get(name, *)
          LOOKED_UP << name if name.to_s.start_with?("TaskerCore")
          super
        end
      end)
      handle = TaskerCore.open("sqlite::memory:")
      handle.register({ name: "flow", steps: [{ name: "only", handler: ->(_) { 1 } }] })
      task = handle.create_task("flow")
      handle.work(until: :idle, timeout: 20)
      task.history.first.inspect
      puts JSON.generate([LOOKED_UP, task.reload.step(:only).status])
      handle.close
    RUBY
    expect([looked_up, status]).to eq([[], "complete"])
  end

  it "has no unsafe code but four lines, in one file of their own" do
    unsafe = sources("src", "ext").flat_map { |path| code(path).lines.grep(/\bunsafe\b(?!_)/).map(&:strip) }
    expect(unsafe).to eq(["unsafe { rb_sys::rb_ext_ractor_safe(safe) }",
                          "unsafe { string.test_as_str() }.map(|text| quote(out, text)).is_some()",
                          "let name = unsafe { Value::from_raw(rb_sys::rb_sym2str(symbol.as_raw())) };",
                          "unsafe { value.classname() }.into_owned()"])
    expect(File.read(root("src/lib.rs"))).to match(/forbid\(unsafe_code\)/)
    expect(File.read(root("ext/tasker_core/src/lib.rs"))).to match(/deny\(unsafe_code\)/)
    allowed = sources("src", "ext").select { |path| code(path).include?("allow(unsafe_code)") }
    expect(allowed).to eq([root("ext/tasker_core/src/raw.rs")])
  end

  it "keeps Ruby out of the engine" do
    named = sources("src").select { |path| code(path).match?(/magnus|rb_sys|\bruby\b/i) }
    expect(named).to eq([])
    expect(File.read(root("Cargo.toml"))[/^\[dependencies\].*?(?=^\[|\z)/m]).not_to match(/magnus|rb-sys/)
  end

  it "keeps the arrows of the house: the domain knows nobody, the storage no engine" do
    expect(sources("src/domain").select { |path| code(path).match?(/crate::(storage|engine|ffi)/) }).to eq([])
    expect(sources("src/storage").select { |path| code(path).match?(/crate::(engine|ffi)/) }).to eq([])
    expect(sources("src/engine").select { |path| code(path).match?(/crate::ffi/) }).to eq([])
  end
end
