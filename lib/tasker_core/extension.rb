# frozen_string_literal: true

require "rbconfig"

module TaskerCore
  # The compiled part of the gem. A gem for one platform brings it, for the Ruby that it is for; otherwise it was
  # compiled here, for this Ruby.
  #
  # @api private
  module Extension
    NAME = "tasker_core_ruby"
    COMPILE = "`gem install tasker_core --platform ruby` compiles one for what you have (it needs Rust)"
    # What the dynamic linker says, and what it means.
    SIGNS = {
      /GLIBC_\d/ => "is for a newer libc than this system's",
      /ld-linux|libc\.so\.6|Error relocating|Error loading shared library/ =>
        "is for the GNU libc, and this system has another (musl, for instance)",
      /libruby|incompatible library version|undefined symbol: _?(?:rb_|ruby_|onig)|symbol not found.*rb_/ =>
        "is for another Ruby than this",
      /wrong ELF class|invalid ELF header|file too short|Exec format error|incompatible architecture/ =>
        "is damaged, or for another kind of machine"
    }.freeze
    private_constant :SIGNS

    class << self
      # @param folder [String] where a platform's gem has it, in a folder for each Ruby
      # @param ruby [String] the version of this Ruby
      # @param feature [String] what it is required as when it was compiled here
      # @raise [LoadError] saying what to do
      def load(folder = __dir__, ruby: RUBY_VERSION, feature: "tasker_core/#{NAME}")
        brought = "#{folder}/#{ruby[/\A\d+\.\d+/]}/#{file}"
        require(File.exist?(brought) ? brought : feature)
      rescue LoadError => e
        raise LoadError, e.path == feature ? absent(folder, ruby) : "#{advice(e.message, ruby)}\n#{e.message}"
      end

      private

      def file = "#{NAME}.#{RbConfig::CONFIG["DLEXT"]}"

      def absent(folder, ruby)
        brought = Dir["#{folder}/[0-9]*/#{file}"].map { |path| File.basename(File.dirname(path)) }.sort
        unless brought.empty?
          return "This gem of tasker_core is for Ruby #{brought.join(", ")}, and this is Ruby #{ruby}: #{COMPILE}."
        end

        if File.exist?("#{folder}/../../Rakefile")
          return "The extension of tasker_core is not compiled in this checkout: `bin/setup` does what it needs."
        end

        "The extension of tasker_core is not there: install the gem again; #{COMPILE}."
      end

      def advice(said, ruby)
        meaning = SIGNS.find { |sign, _| sign.match?(said) }&.last || "could not be loaded"
        "The extension of tasker_core #{meaning} (Ruby #{ruby}, #{RUBY_PLATFORM}): #{COMPILE}."
      end
    end
  end
end
