# frozen_string_literal: true

# Writes sig/: the types of everything public, in RBS, from what the API's documentation says. `rake sig` calls it, and
# spec/signatures_spec.rb fails when sig/ is not what it would write.

require "fileutils"
require "yaml"
require "yard"
require_relative "signatures/types"
require_relative "signatures/function"
require_relative "signatures/declaration"

module Signatures
  FILE = "sig/tasker_core.rbs"
  MANIFEST = "sig/manifest.yaml"
  HEAD = <<~TEXT
    # Written by `rake sig` from the documentation in lib/; change it there.

    # Anything that can be called: a Proc, a Method, an object with `call`.
    interface TaskerCore::_Callable
      def call: (*untyped, **untyped) -> untyped
    end
  TEXT

  class << self
    # @return [Hash{String => String}] path below the root to what stands there
    def files(root)
      declarations = public_modules(root).map { |object| Declaration.new(object) }
      text = [HEAD, *declarations.map(&:text)].join("\n")
      faults = declarations.flat_map(&:faults)
      raise Types::Unknown, faults.join("\n") if faults.any?

      libraries = Types::LIBRARIES.values.uniq.sort.map { |name| { "name" => name } }
      { FILE => text, MANIFEST => YAML.dump("dependencies" => libraries).delete_prefix("---\n") }
    end

    # @return [Array<String>] the paths of all that is documented and not for users; of {files}' documentation
    def hidden
      YARD::Registry.all(:class, :module, :method).reject { |object| public?(object) }.map(&:path)
    end

    # Writes them.
    def write(root)
      files(root).each do |path, text|
        FileUtils.mkdir_p(File.dirname(File.join(root, path)))
        File.write(File.join(root, path), text)
      end
    end

    # Whether an object of YARD's is for users.
    def public?(object)
      object.visibility == :public && object.tag(:api)&.text != "private" && !object.tag(:private)
    end

    private

    # What stands on a class of somebody else's (a railtie, a generator) has types where that one has, not here.
    def public_modules(root)
      YARD::Registry.clear
      YARD::Logger.instance.level = YARD::Logger::ERROR
      YARD.parse(Dir[File.join(root, "lib/**/*.rb")])
      found = YARD::Registry.all(:class, :module).select do |object|
        object.path.match?(/\ATaskerCore\b/) && ours?(object)
      end
      found.sort_by(&:path)
    end

    def ours?(object)
      above = [object, object.namespace]
      above << above.last.namespace until above.last.root?
      above[..-2].all? { |one| public?(one) } && (object.type == :module || Types.superclass?(object))
    end
  end
end

if $PROGRAM_NAME == __FILE__
  begin
    Signatures.write(File.expand_path("../..", __dir__))
  rescue Signatures::Types::Unknown => e
    abort "The documentation lacks types, so sig/ is as it was:\n#{e.message}"
  end
end
