# frozen_string_literal: true

RSpec.describe TaskerCore::Performance do
  each_database do
    let(:performance) { handle.performance }

    # a → (b, c) → d; the handlers of some do what they are given for.
    def diamond(**handlers)
      workflow do
        { a: [], b: :a, c: :a, d: %i[b c] }.each do |name, parents|
          step(name, depends_on: parents, retry_limit: 2, backoff: { kind: "linear", base: 600 }) do |ctx|
            handlers[name]&.call(ctx)
          end
        end
      end
    end

    def started(flow, **options)
      handle.register(flow)
      handle.create_task("flow", **options)
    end

    def worked(flow)
      started(flow).tap { handle.work(until: :idle, timeout: 20) }
    end

    def state(step, state)
      database.query("UPDATE tasker_workflow_steps SET state = '#{state}', token = token + 1 WHERE idx = #{step}")
    end

    def context_of(task) = performance.task_execution_context(task.id)
    def reasons_of(task) = performance.viable_steps(task.id).reasons

    permanent = ->(_ctx) { raise TaskerCore::PermanentError, "no" }
    retried = ->(_ctx) { raise "again" }

    it "says that steps may run" do
      task = started(diamond)
      expect(context_of(task)).to have_attributes(
        task_id: task.id, status: "pending", total_steps: 4, ready_steps: 1, completion_percentage: 0.0,
        execution_status: "has_ready_steps", recommended_action: "execute_ready_steps", health_status: "healthy",
        next_retry_at: nil, critical_path: %w[a b d], bottlenecks: ["a"]
      )
      expect(context_of(task).steps).to eq(pending: 4, in_progress: 0, waiting_for_retry: 0, complete: 0, error: 0,
                                           skipped: 0, cancelled: 0, resolved_manually: 0)
      expect(performance.viable_steps(task.id).viable).to eq(["a"])
      expect(performance.viable_steps(task.id).step(:d)).to have_attributes(
        status: "pending", viable?: false, reason: "waiting_for_parents", waits_for: %w[b c], retry_limit: 2
      )
    end

    it "says that a worker has steps" do
      gate = self.gate
      task = started(diamond(b: ->(_) { gate.wait }, c: ->(_) { gate.wait }))
      worker = handle.worker(threads: 2).start
      eventually { gate.waiting == 2 }
      expect(context_of(task)).to have_attributes(execution_status: "processing", bottlenecks: %w[b c],
                                                  recommended_action: "wait_for_completion", health_status: "healthy")
      expect(context_of(task).steps).to include(complete: 1, in_progress: 2, pending: 1)
      expect(reasons_of(task)).to eq("a" => "done", "b" => "in_progress", "c" => "in_progress",
                                     "d" => "waiting_for_parents")
      gate.open
      expect(task.wait(timeout: 20)).to be_complete
      worker.stop
    end

    it "says that steps wait for a retry, and until when" do
      task = started(diamond(b: retried))
      worker = handle.worker(threads: 1).start
      eventually { task.step(:b).waiting_for_retry? && task.step(:c).complete? }
      worker.stop
      due = task.step(:b).next_retry_at
      expect(context_of(task)).to have_attributes(execution_status: "waiting_for_retry", next_retry_at: due,
                                                  recommended_action: "wait_for_retry", health_status: "recovering")
      expect(performance.viable_steps(task.id).step(:b)).to have_attributes(reason: "waiting_for_retry", attempts: 1,
                                                                            not_before: due, waits_for: [])
      database.query("UPDATE tasker_workflow_steps SET next_retry_at = started_at WHERE idx = 1")
      expect(performance.viable_steps(task.id).viable).to eq(["b"])
    end

    it "says that a failure blocks the rest, and only what is behind it" do
      task = worked(diamond(b: permanent))
      expect(context_of(task)).to have_attributes(execution_status: "blocked_by_failures", status: "error",
                                                  recommended_action: "handle_failures", health_status: "blocked",
                                                  completion_percentage: 50.0, bottlenecks: ["b"])
      expect(reasons_of(task)).to eq("a" => "done", "b" => "failed", "c" => "done", "d" => "blocked_by_failure")
      expect(performance.viable_steps(task.id).step(:d).waits_for).to eq(["b"])
    end

    it "says that nothing may run before its time" do
      later = Time.now.round + 3600
      task = started(diamond, run_at: later)
      expect(context_of(task)).to have_attributes(execution_status: "waiting_for_dependencies", ready_steps: 0,
                                                  recommended_action: "wait_for_dependencies")
      expect(performance.viable_steps(task.id).step("a")).to have_attributes(reason: "waiting_for_start",
                                                                             not_before: later)
    end

    it "says that all is done" do
      task = worked(diamond)
      expect(context_of(task)).to have_attributes(execution_status: "all_complete", recommended_action: "none",
                                                  health_status: "healthy", completion_percentage: 100.0,
                                                  bottlenecks: [])
      expect(reasons_of(task)).to eq("a" => "done", "b" => "done", "c" => "done", "d" => "done")
    end

    it "takes skipped steps and those resolved by hand for done" do
      task = started(diamond)
      state(0, "resolved_manually")
      state(1, "skipped")
      expect(context_of(task)).to have_attributes(completion_percentage: 50.0, bottlenecks: ["c"])
      expect(reasons_of(task)).to eq("a" => "done", "b" => "done", "d" => "waiting_for_parents")
    end

    it "says what is cancelled, and what was left when a task ended" do
      task = started(diamond)
      state(0, "cancelled")
      expect(reasons_of(task)).to eq("a" => "cancelled", "b" => "blocked_by_failure", "c" => "blocked_by_failure",
                                     "d" => "blocked_by_failure")
      database.query("UPDATE tasker_tasks SET state = 'cancelled'")
      expect(context_of(task)).to have_attributes(execution_status: "cancelled", recommended_action: "none")
      expect(reasons_of(task)).to include("a" => "cancelled", "b" => "task_ended", "d" => "task_ended")
    end

    it "draws the graph" do
      task = worked(diamond(c: ->(_) { sleep 0.02 }))
      graph = performance.dependencies(task.id)
      expect(graph).to have_attributes(
        task_id: task.id, total_steps: 4, depth: 3, parallel_width: 2, roots: ["a"], leaves: ["d"],
        levels: { "a" => 0, "b" => 1, "c" => 1, "d" => 2 }, by_level: [["a"], %w[b c], ["d"]],
        edges: [%w[a b], %w[a c], %w[b d], %w[c d]], critical_path: %w[a c d]
      )
      ran = %i[a c d].map { |name| task.step(name) }.sum { |step| step.finished_at - step.started_at }
      expect(graph.critical_path_seconds).to be_within(1e-6).of(ran)
      expect(context_of(task).critical_path).to eq(%w[a c d])
    end

    it "takes forty dense layers apart at once", limit: 60 do
      names = Array.new(40) { |layer| Array.new(20) { |n| "#{layer}/#{n}".tr("/", ".") } }
      steps = names.each_with_index.flat_map do |layer, n|
        layer.map { |name| { name: name, depends_on: n.zero? ? [] : names[n - 1] } }
      end
      handle.register({ name: "dense", steps: steps }, handlers: names.flatten.to_h { |name| [name, ->(_) {}] })
      task = handle.create_task("dense")
      took = seconds do
        expect(performance.dependencies(task.id)).to have_attributes(depth: 40, parallel_width: 20,
                                                                     edges: have_attributes(size: 15_600))
        expect(context_of(task)).to have_attributes(ready_steps: 20, critical_path: have_attributes(size: 40))
        expect(performance.viable_steps(task.id).viable).to eq(names.first)
      end
      expect(took).to be < 10
    end

    it "sees the steps of a list's items" do
      task = started(workflow do
        step(:split) { [1, 2, 3] }
        step(:parcel, depends_on: :split, each: :split) { |_ctx| raise TaskerCore::PermanentError, "no" }
        step(:send, depends_on: :parcel) { 1 }
      end)
      expect(performance.dependencies(task.id)).to have_attributes(total_steps: 3, depth: 3)
      handle.work(until: :idle, timeout: 20)
      items = %w[parcel[0] parcel[1] parcel[2]]
      expect(performance.dependencies(task.id)).to have_attributes(
        total_steps: 6, depth: 4, by_level: [["split"], items, ["parcel"], ["send"]],
        edges: include(%w[split parcel[1]], %w[parcel[1] parcel], %w[parcel send])
      )
      expect(reasons_of(task)).to include("split" => "done", "send" => "blocked_by_failure")
      expect(context_of(task).total_steps).to eq(6)
    end

    it "takes a list whose items run well for nothing that is tried again" do
      gate = self.gate
      task = started(workflow do
        step(:split) { [1, 2] }
        step(:parcel, depends_on: :split, each: :split, backoff: { base: 600 }) do |ctx|
          gate.wait
          raise "no" if ctx.item == 2
        end
      end)
      worker = handle.worker(threads: 2).start
      eventually { gate.waiting == 2 }
      expect(context_of(task)).to have_attributes(execution_status: "processing", health_status: "healthy")
      gate.open
      eventually { task.step("parcel[1]").waiting_for_retry? && task.step("parcel[0]").complete? }
      expect(context_of(task).health_status).to eq("recovering")
      worker.stop
    end

    it "counts the time of a list's items once on the longest path" do
      task = worked(workflow do
        step(:split) { [0.01, 0.3] }
        step(:parcel, depends_on: :split, each: :split) { |ctx| sleep(ctx.item) }
        step(:send, depends_on: :parcel) { 1 }
      end).reload
      graph = performance.dependencies(task.id)
      expect(graph.critical_path).to eq(%w[split parcel[1] parcel send])
      expect(graph.critical_path_seconds).to be_between(0.3, task.finished_at - task.started_at)
    end

    it "says that a queue is paused, and that a limit is reached" do
      gate = self.gate
      task = started(diamond)
      handle.pause_queue("default")
      expect(reasons_of(task)).to include("a" => "queue_paused", "b" => "waiting_for_parents")
      expect(context_of(task)).to have_attributes(execution_status: "waiting_for_dependencies", ready_steps: 0)
      handle.resume_queue("default")
      expect(performance.viable_steps(task.id).viable).to eq(["a"])

      handle.register(workflow("limited") { step(:only, limit: { key: "context.k", running: 1 }) { gate.wait } })
      handle.create_tasks("limited", contexts: [{ k: 1 }, { k: 1 }])
      worker = handle.worker(threads: 2).start
      limited = handle.tasks(name: "limited").to_a
      eventually { limited.map { |one| reasons_of(one)["only"].to_s }.sort == %w[in_progress waiting_for_limit] }
      gate.open
      worker.stop
    end

    it "says that a task is paused" do
      task = started(diamond).pause
      expect(context_of(task)).to have_attributes(execution_status: "paused", recommended_action: "resume_task",
                                                  status: "paused", ready_steps: 0)
      expect(performance.viable_steps(task.id).viable).to eq([])
      expect(reasons_of(task)).to eq("a" => "paused", "b" => "waiting_for_parents", "c" => "waiting_for_parents",
                                     "d" => "waiting_for_parents")
      task.resume
      expect(context_of(task).execution_status).to eq("has_ready_steps")
    end

    it "says what it can't find, and what is no id" do
      unknown = "0190a6e2-7c1b-7000-8000-000000000000"
      handle.tasks.count
      %i[task_execution_context viable_steps dependencies].each do |question|
        expect { performance.public_send(question, unknown) }.to raise_error(TaskerCore::NotFoundError, /#{unknown}/)
        expect { performance.public_send(question, "x") }.to raise_error(TaskerCore::ValidationError, /not a task's id/)
        expect { performance.public_send(question, nil) }.to raise_error(TaskerCore::ValidationError, /is a String/)
      end
      viable = performance.viable_steps(started(diamond).id)
      expect { viable.step(:e) }.to raise_error(TaskerCore::NotFoundError, /no step "e"/)
      handle.close
      expect { performance.dependencies(unknown) }.to raise_error(TaskerCore::HandleClosedError)
    end

    it "answers for the default handle" do
      task = started(diamond)
      TaskerCore.configuration.database_url = database.url
      answers = %i[task_execution_context viable_steps dependencies].map do |question|
        described_class.public_send(question, task.id)
      end
      expect(answers).to eq([context_of(task), performance.viable_steps(task.id), performance.dependencies(task.id)])
    ensure
      TaskerCore::OrchestrationManager.instance.close
      TaskerCore.configuration.database_url = nil
    end

    it "gives frozen snapshots" do
      task = worked(diamond(b: permanent))
      viable = performance.viable_steps(task.id)
      reports = [context_of(task), viable, *viable.steps, performance.dependencies(task.id)]
      reports.each do |report|
        fields = report.class::FIELDS
        expect(report.to_h).to eq(fields.to_h { |field| [field, report.public_send(field)] })
        expect([report.frozen?, Ractor.shareable?(report), report.dup.equal?(report)]).to all(be(true))
        expect(report.deconstruct_keys(fields.first(2) + [:none])).to eq(report.to_h.slice(*fields.first(2)))
        expect(Marshal.load(Marshal.dump(report))).to eq(report)
        expect(JSON.parse(report.to_json)).to eq(report.as_json)
        expect(YAML.safe_load(report.to_yaml)).to eq(report.as_json)
        expect(report.inspect).to match(/\A#<#{report.class} [^\n]{1,200}>\z/)
      end
      expect(viable).to eq(performance.viable_steps(task.id))
      expect(viable).not_to eq(context_of(task))
    end
  end
end
