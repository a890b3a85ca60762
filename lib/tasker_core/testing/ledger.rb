# frozen_string_literal: true

module TaskerCore
  module Testing
    # What factories made on one handle, until it is cleaned up.
    #
    # @api private
    class Ledger
      FORCED = "or pass force: true if this one may be used so"
      AS_IT_IS = "or leave it as it is: in the mode disabled (TaskerCore::Testing.disabled! { … }) tasks are created " \
                 "there as they are without the test kit, and handle.work runs them"
      private_constant :FORCED, :AS_IT_IS

      @by_handle = {}.compare_by_identity
      @lock = Mutex.new

      class << self
        # @param force [Boolean, nil] whether a database may be used that is not named as one for tests; nil where
        #   whoever called can't say
        # @raise [ConfigurationError] when there is none yet, and the database is not named as one for tests
        def of(handle, force: nil)
          unless handle.is_a?(OrchestrationHandle)
            raise ValidationError.at("handle", "is what TaskerCore.open gives; a template is given as template:",
                                     expected: "an OrchestrationHandle", got: handle.class.name)
          end

          @lock.synchronize { @by_handle[handle] ||= new(handle, force) }
        end

        # Cleans up after one handle, or all; a failure of one does not keep the others from it.
        def clean_up(handle)
          failures = take(handle).filter_map do |ledger|
            ledger.clean_up
            nil
          rescue Error => e
            @lock.synchronize { @by_handle[ledger.handle] ||= ledger }
            e
          end
          raise failures.first unless failures.empty?
        end

        private

        # What other threads make from now on is for another time.
        def take(handle)
          @lock.synchronize do
            taken = handle ? [@by_handle[handle]].compact : @by_handle.values
            taken.each { |ledger| @by_handle.delete(ledger.handle) }
          end
        end
      end

      attr_reader :handle

      def initialize(handle, force)
        @handle = handle
        @native = factories(force)
        @keys = []
      end

      # Registers a template; steps without a handler get `handler`, or an echo.
      def register(template, handlers, handler)
        handlers = handlers.transform_keys(&:to_s)
        named = template[:steps].to_h { |step| [(step[:name] || step["name"]).to_s, step] }
        silent = named.reject { |_, step| step.key?(:handler) || step.key?("handler") }.keys
        key = template.slice(:namespace, :name, :version).transform_values(&:to_s)
        @keys << key.values if Waiting.await(@native.note_template(key))
        @handle.register({ **template, **key },
                         handlers: { **silent.to_h { |name| [name, handler || EchoHandler] }, **handlers })
      end

      # Creates a task; one that was there before, and is given back for its key, is not ours.
      def create_task(template, options)
        before = now if options[:on_duplicate]
        task = @handle.create_task(template, **options)
        note_task(task.id) unless before && task.created_at < before
        task
      end

      def now
        Waiting.await(@native.now)
      end

      # Moves the clock; back where the span is negative.
      def advance(span)
        Waiting.await(@native.advance({ seconds: span.abs, back: span.negative? }))
      end

      def note_task(id) = @native.note_task(id)

      def clean_up
        take_back
        @keys.each { |key| @handle.registry.put(key, nil) }
        @keys.clear
      end

      private

      def factories(force)
        Native::Factories.on(@handle.native, force == true)
      rescue ConfigurationError => e
        raise ConfigurationError, "#{e.message}, #{force.nil? ? AS_IT_IS : FORCED}"
      end

      # A database that can't be opened any more was dropped, and what was made went with it.
      def take_back
        Waiting.await(@native.clean_up)
      rescue ConfigurationError
        raise unless @handle.closed?
      end
    end
  end
end
