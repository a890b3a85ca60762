# frozen_string_literal: true

module TaskerCore
  # A template with the values of its `environments`. What the current one says is merged deeply over the rest, steps
  # by name; the others are checked as if each were the current one, so that a fault in production's is found before
  # production. The current environment is `TASKER_ENV`, else `RAILS_ENV`, else `RACK_ENV`, else `development`.
  #
  # @api private
  class Environments
    def self.current
      ENV.values_at("TASKER_ENV", "RAILS_ENV", "RACK_ENV").find { |name| name && !name.empty? } || "development"
    end

    # @return [Hash] the template for the current environment
    attr_reader :template
    # @return [Array<Hash>] what is wrong with the environments themselves
    attr_reader :faults

    # @param given [Hash]
    def initialize(given)
      @base = given.reject { |key, _| key.to_s == "environments" }
      @faults = []
      @overlays = overlays(EitherKey.of(given, "environments"))
      @current = @overlays[Environments.current]
      @template = @current ? @current.template : @base
    end

    # The place in what was given from which a value of the current template came.
    def origin(path)
      @current ? @current.origin(path) : path
    end

    # @param known [Array<Hash>] the faults of the current template
    # @yieldparam template [Hash] for another environment
    # @yieldreturn [Array<Hash>] its faults
    # @return [Array<Hash>] those that it has beside the known ones, at the places where they were given
    def faults_elsewhere(known)
      @overlays.values.reject { |overlay| overlay.equal?(@current) }.flat_map do |overlay|
        (yield(overlay.template) - known).map { |fault| overlay.own_fault(fault) }
      end
    end

    private

    def overlays(given)
      return {} if given.nil?
      return refuse("environments", given) unless given.is_a?(Hash)

      given.filter_map do |name, own|
        next if own.nil?
        next refuse("environments.#{name}", own) && nil unless own.is_a?(Hash)

        overlay = Overlay.new(@base, own, "environments.#{name}")
        @faults.concat(overlay.faults)
        [name.to_s, overlay]
      end.to_h
    end

    def refuse(path, given)
      @faults << ValidationError.fault(path, "is a mapping of keys to values", expected: "a Hash",
                                                                               got: Native.shown(given))
      {}
    end
  end
end
