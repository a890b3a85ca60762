# frozen_string_literal: true

require_relative "lib/tasker_core/version"

Gem::Specification.new do |spec|
  spec.name = "tasker_core"
  spec.version = TaskerCore::VERSION
  spec.authors = ["the tasker_core authors"]
  spec.summary = "Durable workflows for Ruby, on an embedded SQLite file or on PostgreSQL"
  spec.description = "Runs tasks made of steps that depend on one another. Every result is recorded once; failures " \
                     "are retried; what a crash cut short goes on where it stopped. A Ruby gem with a Rust core."
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.1"
  spec.metadata = { "rubygems_mfa_required" => "true" }

  spec.files = Dir.chdir(__dir__) do
    files = Dir["lib/**/*.rb", "lib/generators/**/*", "sig/*", "exe/*", "src/**/*", "ext/**/*.{rb,rs,toml}",
                "Cargo.{toml,lock}", ".cargo/config.toml", "*.md", "guides/*.md", "LICENSE", ".yardopts"]
    files.uniq.select { |path| File.file?(path) }.reject { |path| path.include?("/target/") }
  end
  spec.bindir = "exe"
  spec.executables = Dir.chdir(__dir__) { Dir["exe/*"] }.map { |path| File.basename(path) }
  spec.extensions = ["ext/tasker_core/extconf.rb"]

  # A part of Ruby, which is a gem of its own from Ruby 4.0 on: under Bundler it is there for those who name it.
  spec.add_dependency "logger", ">= 1.4", "< 3"
  # Used while the gem is compiled, by extconf.rb; nothing requires it at run time.
  spec.add_dependency "rb_sys", "~> 0.9"
end
