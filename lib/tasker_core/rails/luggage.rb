# frozen_string_literal: true

module TaskerCore
  module RailsApp
    # What a web request knows and the handlers of its tasks shall know, too: the app's CurrentAttributes, the language
    # and the time zone. It travels in the task's headers, under one name.
    #
    # @api private
    class Luggage
      NAME = "rails"
      # How deep the value of an attribute may be: it has four Hashes around it, the headers the first of them.
      DEEPEST = JSONValue::DEEPEST - 4
      private_constant :NAME, :DEEPEST

      def initialize
        @refused = {}
      end

      # @return [Hash] what is to travel with a task that is created now
      def pack
        packed = { "locale" => locale, "time_zone" => time_zone, "current" => current }.compact
        packed.empty? ? {} : { NAME => packed }
      end

      # Runs the block, and has the CurrentAttributes be after it what they are now: the executor forgets them, and in a
      # test that runs steps on its own thread they are the test's.
      def keep
        kept = classes.map { |_, type| [type, type.instance.attributes.compact] }.reject { |_, own| own.empty? }
        yield
      ensure
        kept.each { |type, own| type.instance.attributes = own }
      end

      # Has the block run with what its task brought.
      #
      # @param headers [Hash] of the task
      def unpack(headers, &block)
        brought = headers[NAME]
        return yield unless brought

        steps = [*settings(brought["current"]), *words(brought)]
        steps.reverse.reduce(block) { |inner, step| -> { step.call(&inner) } }.call
      end

      private

      def locale
        I18n.locale.to_s unless I18n.locale == I18n.default_locale
      end

      def time_zone
        zone = Time.zone
        zone.name if zone && zone != Time.find_zone(::Rails.application.config.time_zone)
      end

      # A language or a zone that the app no longer has is left behind.
      def words(brought)
        locale, zone = brought.values_at("locale", "time_zone")
        [
          (->(&inner) { I18n.with_locale(locale) { inner.call } } if locale && I18n.locale_available?(locale)),
          (->(&inner) { Time.use_zone(zone) { inner.call } } if zone && Time.find_zone(zone))
        ].compact
      end

      def current
        packed = classes.filter_map do |name, type|
          values = type.instance.attributes.compact
          values = values.filter_map { |attribute, value| packed_value(name, attribute, value) }.to_h
          [name, values] unless values.empty?
        end
        packed.to_h unless packed.empty?
      end

      # Those that a name leads to: what was reloaded has namesakes.
      def classes
        below(ActiveSupport::CurrentAttributes).filter_map do |type|
          [type.name, type] if type.name && type.name.safe_constantize.equal?(type)
        end
      end

      def below(type) = type.subclasses.flat_map { |child| [child, *below(child)] }

      # What is named like a secret is not written down.
      def packed_value(name, attribute, value)
        return if TaskerCore.configuration.compiled_filter.hides?(attribute)

        written = serialized(value)
        raise TypeError, "JSON has UTF-8, finite numbers and Integers of 64 bits" unless recordable?(written)

        [attribute.to_s, written]
      rescue StandardError => e
        refuse("#{name}.#{attribute}", value, e)
      end

      def refuse(attribute, value, error)
        return if @refused[attribute]

        @refused[attribute] = true
        TaskerCore.configuration.logger.warn("#{attribute} does not travel with tasks: a #{value.class} can't be " \
                                             "written down (#{error.message.lines.first&.chomp})")
        nil
      end

      # As ActiveJob writes arguments: with Symbols, times, and records by their GlobalID.
      def serialized(value)
        return value if plain?(value)

        require "active_job"
        ActiveJob::Arguments.serialize([value])
      rescue LoadError
        raise TypeError, "there is no ActiveJob here, which could"
      end

      def recordable?(written) = JSONValue.possible?(written, DEEPEST)

      def plain?(value)
        case value
        when String, Integer, Float, true, false then true
        else false
        end
      end

      def settings(current)
        (current || {}).filter_map do |name, values|
          type = name.safe_constantize
          next unless type.is_a?(Class) && type < ActiveSupport::CurrentAttributes

          known = values.select { |attribute, _| type.respond_to?(:"#{attribute}=") }
          # Newer Rails give the block an argument, older none.
          ->(&inner) { type.set(restored(name, known)) { inner.call } }
        end
      end

      def restored(name, values)
        values.filter_map do |attribute, value|
          [attribute.to_sym, value.is_a?(Array) ? deserialized(value) : value]
        rescue ActiveJob::DeserializationError => e
          raise unless deleted?(e)

          TaskerCore.configuration.logger.warn("#{name}.#{attribute} is not there any more: #{e.cause.message}")
          nil
        end.to_h
      end

      def deserialized(value)
        require "active_job"
        ActiveJob::Arguments.deserialize(value).first
      end

      # And not only out of reach now, in which case another attempt finds it.
      def deleted?(error)
        defined?(ActiveRecord::RecordNotFound) && error.cause.is_a?(ActiveRecord::RecordNotFound)
      end
    end
  end
end
