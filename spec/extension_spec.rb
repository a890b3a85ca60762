# frozen_string_literal: true

require "tmpdir"

RSpec.describe TaskerCore::Extension do
  let(:folder) { Dir.mktmpdir }
  let(:file) { "tasker_core_ruby.#{RbConfig::CONFIG["DLEXT"]}" }

  after { FileUtils.rm_rf(folder) }

  # What is said where the extension of a gem for Ruby 9.8 can't be loaded, by a program that has it so.
  def said
    described_class.load(folder, ruby: "9.8.7", feature: "tasker_core/nothing_of_that_name")
  rescue LoadError => e
    e.message
  end

  def bring(ruby: "9.8")
    FileUtils.mkdir_p("#{folder}/#{ruby}")
    yield "#{folder}/#{ruby}/#{file}"
  end

  it "says that it is not there, and how to get it" do
    expect(said).to include("is not there", "gem install tasker_core --platform ruby", "needs Rust")
  end

  it "says in a checkout how it is compiled" do
    FileUtils.mkdir_p("#{folder}/lib/tasker_core")
    File.write("#{folder}/Rakefile", "")
    expect { described_class.load("#{folder}/lib/tasker_core", feature: "tasker_core/nothing_of_that_name") }
      .to raise_error(LoadError, %r{not compiled in this checkout.*bin/setup})
  end

  it "says which Ruby a gem is for" do
    bring(ruby: "9.6") { |path| File.write(path, "") }
    bring(ruby: "9.7") { |path| File.write(path, "") }
    expect(said).to include("is for Ruby 9.6, 9.7", "this is Ruby 9.8.7", "--platform ruby")
  end

  it "says that it was compiled for another Ruby, and what the linker said" do
    bring do |path|
      File.write("#{folder}/other.c",
                 "void rb_not_of_this_ruby(void); void Init_tasker_core_ruby(void) { rb_not_of_this_ruby(); }")
      expect(system("cc", "-shared", "-fPIC", "-Wl,-z,now", "-o", path, "#{folder}/other.c")).to be(true)
    end
    expect(said).to match(/\AThe extension of tasker_core is for another Ruby than this.*--platform ruby/)
    expect(said.lines.last).to include("rb_not_of_this_ruby")
  end

  it "says that a file is damaged, or for another machine" do
    bring { |path| File.write(path, "nothing that can be loaded, and long enough for a header of ELF " * 4) }
    expect(said).to match(/\AThe extension of tasker_core is damaged, or for another kind of machine/)
  end

  # No other libc is at hand: what the linkers of old ones and of musl say.
  {
    "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.36' not found (required by /x.so)" => "a newer libc than this",
    "Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /x.so)" => "the GNU libc",
    "libruby-3.1.so.3.1: cannot open shared object file: No such file or directory" => "another Ruby than this"
  }.each do |linker, meaning|
    it "says of #{linker.inspect[0, 50]}… that it is for #{meaning}" do
      allow(described_class).to receive(:require).and_raise(LoadError, linker)
      expect(said).to start_with("The extension of tasker_core is for #{meaning}").and include("--platform ruby",
                                                                                               linker)
    end
  end

  it "is loaded from the folder for this Ruby where a gem brings it" do
    said = ask_program(<<~RUBY, preamble: "")
      require "json"
      require "fileutils"
      require "tmpdir"
      Dir.mktmpdir do |folder|
        path = "\#{folder}/\#{RUBY_VERSION[/\\d+\\.\\d+/]}/#{file}"
        FileUtils.mkdir_p(File.dirname(path))
        FileUtils.cp("#{Support::ROOT}/lib/tasker_core/#{file}", path)
        require "tasker_core/errors"
        require "tasker_core/extension"
        TaskerCore::Extension.load(folder)
        puts JSON.generate($LOADED_FEATURES.include?(File.realpath(path)))
      end
    RUBY
    expect(said).to be(true)
  end
end
