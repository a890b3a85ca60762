# frozen_string_literal: true

module TaskerCore
  module CLI
    # Signals of this process, taken by the thread that waits for them: in a trap itself hardly anything is allowed.
    #
    # @api private
    class Signals
      # Listens while the block runs. What was done with the signals before is done with them again afterwards.
      def self.listen(*names)
        signals = new(names)
        yield signals
      ensure
        signals&.close
      end

      def initialize(names)
        @reader, @writer = IO.pipe
        @names = names
        @before = names.each_with_index.to_h { |name, at| [name, listen(name, at)] }
      end

      # @param limit [Numeric, nil] seconds
      # @return [String, nil] the next signal's name; nil when there was none in that time
      def wait(limit = nil)
        @reader.wait_readable(limit) && @names[@reader.read(1).ord]
      end

      def close
        @before.each { |name, handler| trap(name, handler || "DEFAULT") }
        [@reader, @writer].each(&:close)
      end

      private

      def listen(name, at)
        writer = @writer
        trap(name) { writer.write_nonblock(at.chr, exception: false) }
      end
    end
  end
end
