# frozen_string_literal: true

module TaskerCore
  # SQLite's files must not be open in two processes that share descriptors: before a fork they are closed, and
  # after it each side opens its own. A process that has none open pays nothing.
  #
  # @api private
  module ForkHook
    # One fork at a time: what the first closed, it also opens again.
    QUEUE = Mutex.new
    private_constant :QUEUE

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

    def around(&fork)
      return fork.call unless Native.must_prepare_fork?

      QUEUE.synchronize { prepared(&fork) }
    end

    def prepared
      parent = Process.pid
      preparation = Native.prepare_fork
      Waiting.await(preparation)
      ready = true
      yield
    ensure
      if Process.pid == parent && preparation
        ready ? Native.forked : Thread.new { undo(preparation) }
      end
    end

    # After an interrupted wait: the preparation still comes to its end.
    def undo(preparation)
      Waiting.await(preparation)
      Native.forked
    end

    private_class_method :prepared, :undo
  end

  Process.singleton_class.prepend(ForkHook::Fork, ForkHook::Daemon)
end
