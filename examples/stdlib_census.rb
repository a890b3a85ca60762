# frozen_string_literal: true

# Counts Ruby's own standard library: one step per folder reads its files with Ripper, a join adds them up,
# a report names the ten largest and writes a JSON file. The steps are made from the folders found, so the
# template is a Hash.
#
#   ruby -Ilib examples/stdlib_census.rb
#   ruby -Ilib examples/stdlib_census.rb --database postgres://user:password@localhost/demo
#
# Kill it in the middle and start it again: no folder that was counted is counted again.

require "digest"
require "json"
require "rbconfig"
require "ripper"
require "tasker_core"
require_relative "support"

module StdlibCensus
  # Counts what Ripper's parser comes by.
  class Counter < Ripper
    attr_reader :methods_defined, :classes_defined

    def initialize(...)
      super
      @methods_defined = 0
      @classes_defined = 0
    end

    def on_def(*) = @methods_defined += 1
    def on_defs(*) = @methods_defined += 1
    def on_class(*) = @classes_defined += 1
  end

  # The library's folders, two levels deep: those above the last level count for their own files only, so
  # that every file is counted once.
  class Library
    DEEPEST = 2

    attr_reader :root

    def initialize(root = RbConfig::CONFIG["rubylibdir"])
      @root = root
    end

    # Names relative to the root; "." is the root itself.
    def folders
      @folders ||= (1..DEEPEST).flat_map { |depth| Dir.glob((["*"] * depth).join("/"), base: root) }
                               .push(".").select { |folder| files(folder).any? }.sort
    end

    def files(folder)
      last_level = folder.count("/") + 1 == DEEPEST
      pattern = last_level ? "**/*.rb" : "*.rb"
      Dir.glob(pattern, base: File.join(root, folder)).map { |name| File.join(root, folder, name) }
         .select { |path| File.file?(path) }.sort
    end

    # The same folders give the same version; others give another, because a version's steps are fixed.
    def version
      "#{RUBY_VERSION}-f#{Digest::SHA256.hexdigest([root, *folders].join("\n"))[0, 8]}"
    end
  end

  module_function

  def run(argv)
    options = Demo.options(argv, "stdlib_census.rb", database: "sqlite:tmp/demo/stdlib_census.sqlite3")
    library = Library.new
    Demo.title("Standard library census: #{library.folders.length} folders of #{library.root}")
    handle = TaskerCore.open(options[:database])
    handle.register(template(library), handlers: handlers(library))
    task = census(handle, library, options[:run])
    Demo.say_what_is_recorded([task])
    Demo.work(handle)
    show(task.reload)
  ensure
    handle&.close
  end

  def template(library)
    counts = library.folders.map do |folder|
      { name: step_name(folder), depends_on: "list", config: { folder: folder } }
    end
    {
      name: "stdlib_census", namespace: "demo", version: library.version, defaults: { timeout: 60 },
      steps: [
        { name: "list" },
        *counts,
        { name: "merge", depends_on: counts.map { |step| step[:name] } },
        { name: "report", depends_on: "merge" }
      ]
    }
  end

  # A step's name holds no slash.
  def step_name(folder)
    "count #{folder.tr("/", ":")}"
  end

  def handlers(library)
    count = ->(ctx) { count_folder(ctx, library) }
    library.folders.to_h { |folder| [step_name(folder), count] }
           .merge("list" => ->(ctx) { list(ctx, library) }, "merge" => method(:merge), "report" => method(:report))
  end

  def census(handle, library, run)
    handle.create_task("stdlib_census", namespace: "demo", version: library.version,
                                        context: { report: File.expand_path("tmp/demo/stdlib_census.json") },
                                        key: "#{run}/stdlib-census-#{library.version}", on_duplicate: :return)
  end

  def list(ctx, library)
    Demo.ran(ctx, "#{library.folders.length} folders")
    { "root" => library.root, "folders" => library.folders.length }
  end

  def count_folder(ctx, library)
    folder = ctx.config["folder"]
    counts = library.files(folder).map { |path| count_file(path) }
    total = { "files" => counts.length }.merge(*counts) { |_, one, other| one + other }
    Demo.ran(ctx, format("%<files>3d files %<lines>6d lines", files: total["files"], lines: total["lines"]))
    { "folder" => folder, **total }
  end

  def count_file(path)
    source = File.binread(path)
    counter = Counter.new(source.dup.force_encoding(Encoding::UTF_8), path)
    counter.parse
    { "lines" => source.count("\n"), "methods" => counter.methods_defined, "classes" => counter.classes_defined }
  end

  def merge(ctx)
    folders = ctx.results.values
    total = %w[files lines methods classes].to_h { |key| [key, folders.sum { |folder| folder[key] }] }
    Demo.ran(ctx, "#{folders.length} folders, #{total["lines"]} lines")
    { "total" => total, "folders" => folders.sort_by { |folder| [-folder["lines"], folder["folder"]] } }
  end

  # Written beside its place and moved there: a reader sees a whole report or none.
  def report(ctx)
    merged = ctx.result(:merge)
    path = ctx.context["report"]
    FileUtils.mkdir_p(File.dirname(path))
    File.write("#{path}.new", JSON.pretty_generate(merged))
    File.rename("#{path}.new", path)
    Demo.ran(ctx, "wrote #{path}")
    { "path" => path, "total" => merged["total"], "top" => merged["folders"].first(10) }
  end

  def show(task)
    report = task.step(:report).result
    return Demo.say("The census ended as #{task.status}.") unless report

    columns = %w[folder files lines methods classes]
    total = report["total"]
    rows = report["top"].map { |folder| folder.values_at(*columns) }
    Demo.table(columns, [*rows, ["all", *total.values_at(*columns.drop(1))]])
    steps = task.steps
    rows = steps.group_by(&:status).map { |status, group| [status, group.length, group.sum(&:attempts)] }
    Demo.table(%w[status steps attempts], rows)
    Demo.say "\n  The whole census: #{report["path"]}"
  end
end

StdlibCensus.run(ARGV.dup)
