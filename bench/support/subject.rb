# frozen_string_literal: true

module Bench
  # One call that is measured, as Ruby source. It is written out several times within the loop that runs it, so that
  # the loop adds next to nothing.
  class Subject
    UNROLLED = 10
    private_constant :UNROLLED

    # @param source [String] the call; `locals` are the variables in it
    def initialize(source, **locals)
      scope = Object.new.instance_eval { binding }
      locals.each { |variable, value| scope.local_variable_set(variable, value) }
      @loop = scope.eval(loop_of(source), __FILE__, __LINE__)
    end

    # Runs the call about `calls` times; how many times it was.
    def run(calls)
      loops = (calls.to_f / UNROLLED).ceil
      @loop.call(loops)
      loops * UNROLLED
    end

    private

    def loop_of(source)
      "->(n) { i = 0; while i < n; #{([source] * UNROLLED).join("\n")}; i += 1; end }"
    end
  end
end
