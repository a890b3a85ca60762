# frozen_string_literal: true

module TaskerCore
  # SQLite's files must not be open in two processes that share descriptors: before a fork they are closed, and
  # after it each side opens its own. A process that has none open pays nothing.
  #
  # @api private
  module ForkHook
    # Prepended to Process for `fork` in all its forms.
    module Fork
      def _fork
        ForkHook.around { super }
      end
    end

    # Prepended to Process for `daemon`, which forks on its own.
    module Daemon
      def daemon(...)
        ForkHook.around { super }
      end
    end

    module_function

    # Takes no Mutex: a signal's trap may fork too, even in the middle of another fork of its thread. The parent
    # says when the fork is over, however it ended.
    def around(&fork)
      return fork.call unless Native.must_prepare_fork?

      parent = Process.pid
      Thread.handle_interrupt(Object => :on_blocking) do
        preparation = Native.prepare_fork
        Waiting.await(preparation)
        fork.call
      ensure
        go_on(preparation) if preparation && Process.pid == parent
      end
    end

    # After an interrupted wait the preparation still comes to its end.
    def go_on(preparation)
      return Native.forked if preparation.done?(nil)

      Thread.new do
        Waiting.await(preparation)
      ensure
        Native.forked
      end
    end

    private_class_method :go_on
  end

  Process.singleton_class.prepend(ForkHook::Fork, ForkHook::Daemon)
end
