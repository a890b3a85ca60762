# frozen_string_literal: true

# Writes the Makefile with which `gem install` compiles the extension. In a checkout `rake compile` asks
# Cargo directly. What a build needs is looked for first, so that what is missing is said in a sentence.

require "mkmf"
require "open3"

wanted = File.read(File.expand_path("../../Cargo.toml", __dir__))[/^rust-version = "([\d.]+)"/, 1]

cargo = ENV.fetch("CARGO", "cargo")
found = begin
  Open3.capture2e(cargo, "--version").first[/\d+\.\d+\.\d+/]
rescue SystemCallError
  nil
end
unless found
  abort "tasker_core is compiled from Rust while it is installed, and cargo was not found: please install Rust " \
        "#{wanted} or later (with rustup, for instance) and try again."
end
if Gem::Version.new(found) < Gem::Version.new(wanted)
  abort "tasker_core needs Rust #{wanted} or later, and this is Rust #{found}: please update it (with `rustup " \
        "update`, for instance) and try again."
end

libclang = ["/usr/lib/llvm-*/lib", "/usr/lib/*-linux-*", "/usr/lib", "/usr/lib64", "/usr/lib64/llvm*/lib",
            "/usr/local/lib", "/usr/local/llvm*/lib"]
if RUBY_PLATFORM.include?("linux") && !ENV["LIBCLANG_PATH"] && !find_executable("llvm-config") &&
   Dir.glob(libclang.map { |folder| "#{folder}/libclang{,-*}.so*" }).empty?
  abort "tasker_core reads Ruby's C headers with libclang while it is compiled, and libclang was not found: please " \
        "install it (Debian: libclang-dev), or set LIBCLANG_PATH to its folder, and try again."
end

begin
  require "rb_sys/mkmf"
rescue LoadError
  abort "tasker_core is compiled with the help of the gem rb_sys, which was not found: please install it " \
        "(`gem install rb_sys`; Debian 13 and later: the package ruby-rb-sys) and try again."
end

create_rust_makefile("tasker_core/tasker_core_ruby") do |config|
  config.extra_cargo_args = ["--locked"]
  # An installed gem keeps neither debug information nor what only the build needed.
  config.env = { "CARGO_PROFILE_RELEASE_DEBUG" => "0", "CARGO_PROFILE_RELEASE_STRIP" => "debuginfo" }
  config.rubygems_clean_dirs += ["./target", "$(DLLIB)"]
end
