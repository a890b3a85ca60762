# frozen_string_literal: true

module TaskerCore
  module CLI
    # The heaps of glibc's malloc. It gives nearly each thread one of its own, and what lies idle between the
    # allocations of each stays with the process; two are enough for a process whose threads share Ruby's lock.
    #
    # @api private
    module Arenas
      MOST = 2
      # Where the environment says how many, that counts.
      SETTINGS = { "MALLOC_ARENA_MAX" => //, "GLIBC_TUNABLES" => /glibc\.malloc\.arena_max/ }.freeze
      # M_ARENA_MAX of glibc's malloc.h.
      PARAMETER = -8
      private_constant :MOST, :SETTINGS, :PARAMETER

      # Has the process get by with two, but for those that it has already. With another C library it does nothing, nor
      # without fiddle.
      def self.limit
        return if SETTINGS.any? { |name, setting| setting.match?(ENV.fetch(name, nil)) } || !fiddle?

        require "fiddle"
        int = Fiddle::TYPE_INT
        Fiddle::Function.new(Fiddle::Handle::DEFAULT["mallopt"], [int, int], int).call(PARAMETER, MOST)
      rescue LoadError, Fiddle::DLError
        # A Ruby without fiddle, or a C library without such heaps.
        nil
      end

      # From Ruby 3.4 on Bundler warns of it, or hides it, where the Gemfile doesn't have it.
      def self.fiddle?
        RUBY_VERSION < "3.4" || !defined?(Bundler) || Gem.loaded_specs.key?("fiddle")
      end
      private_class_method :fiddle?
    end
  end
end
