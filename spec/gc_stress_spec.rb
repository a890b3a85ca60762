# frozen_string_literal: true

# The garbage collector at its worst moments: at every allocation, and moving what it can.
RSpec.describe "Under GC.stress and GC.auto_compact" do
  # What each program begins with; `stressed` runs a block with both on. What a program has to say it says later, or
  # from a String too long for an object: while Ruby 3.1 moves objects their pages can't be read, and whatever another
  # thread is writing from there ends with EFAULT.
  setup = <<~RUBY
    def stressed
      GC.auto_compact = true
      GC.stress = true
      yield
    ensure
      GC.stress = false
      GC.auto_compact = false
    end
    SAID = []
    FLOW = { name: "flow", steps: [{ name: "a" }, { name: "b", depends_on: "a" }] }.freeze
    HANDLERS = { a: ->(ctx) { ctx.context["n"] }, b: ->(ctx) { { "twice" => [ctx.result(:a) * 2] } } }.freeze
    handle = TaskerCore.open(ENV["URL"])
    handle.register(FLOW, handlers: HANDLERS)
  RUBY

  each_database do
    it "calls give what they should", limit: 90 do
      outcome = run_program(<<~RUBY)
        #{setup}
        stressed do
          task = handle.create_task("flow", context: { n: 4, deep: [{ "é" => 1.5 }] }, key: "k")
          SAID << [task.status, task.context, task.key].inspect
          begin
            handle.create_task("flow", key: "k")
          rescue TaskerCore::DuplicateTaskError => e
            SAID << (e.existing_id == task.id)
          end
          SAID << (handle.tasks(key: "k").map(&:id) == [task.id])
          begin
            task.wait(timeout: 0.01)
          rescue TaskerCore::TimeoutError => e
            SAID << (e.task_id == task.id)
          end
        end
        handle.close
        puts SAID
      RUBY
      expect(outcome.lines).to eq(['["pending", {"n"=>4, "deep"=>[{"é"=>1.5}]}, "k"]', "true", "true", "true"])
    end

    it "a worker runs tasks, is waited for and stops", limit: 90 do
      outcome = run_program(<<~RUBY)
        #{setup}
        stressed do
          worker = handle.worker(threads: 2).start
          tasks = Array.new(3) { |n| handle.create_task("flow", context: { n: n }) }
          SAID << tasks.map { |task| task.wait(timeout: 60).step(:b).result }.inspect
          worker.stop(timeout: 20)
          SAID << worker.running?
        end
        handle.close
        puts SAID
      RUBY
      expect(outcome.lines).to eq(['[{"twice"=>[0]}, {"twice"=>[2]}, {"twice"=>[4]}]', "false"])
    end

    it "a process with a worker ends when it is told to", limit: 90 do
      program = start_program(<<~RUBY)
        #{setup}
        GC.auto_compact = true
        GC.stress = true
        handle.worker(threads: 2).start
        $stdout.write("works".ljust(4_096) << "\\n")
        sleep
      RUBY
      await_words(program, /^works/, within: 60)
      program.signal("TERM")
      expect(eventually(within: 60) { program.ended? }).to be(true)
    end
  end
end
