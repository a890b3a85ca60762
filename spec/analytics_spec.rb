# frozen_string_literal: true

RSpec.describe TaskerCore::Performance do
  each_database do
    let(:performance) { handle.performance }

    # The durations of a report, from durations.
    def spread(durations)
      sorted = durations.sort
      return { count: 0, mean: nil, p50: nil, p95: nil, p99: nil, max: nil } if sorted.empty?

      rank = ->(percent) { sorted[[(sorted.size * percent / 100r).ceil, 1].max - 1].to_f }
      { count: sorted.size, mean: (sorted.sum / sorted.size).floor(6).to_f, p50: rank[50], p95: rank[95],
        p99: rank[99], max: sorted.last.to_f }
    end

    def exact(from, to) = to.to_r - from.to_r

    # [running, waiting] of each step that ran.
    def took(task)
      steps = task.steps.to_h { |step| [step.name, step] }
      ran = steps.values.select { |step| step.started_at && step.finished_at }
      ran.to_h do |step|
        from = step.depends_on.map { |name| steps[name].finished_at }.max || task.created_at
        [step.name, [exact(step.started_at, step.finished_at), exact(from, step.started_at)]]
      end
    end

    # Runs tasks of two templates, some of which fail.
    def history
      flow = workflow do
        step(:a) { |ctx| sleep(ctx.context["n"] % 5 / 500.0) }
        step(:b, depends_on: :a, retryable: false) { |ctx| raise "no" if ctx.context["n"] % 4 == 3 }
      end
      handle.register(flow)
      handle.register(workflow("other") do
        namespace "shop"
        step(:only) { 1 }
      end)
      ids = handle.create_tasks("flow", contexts: Array.new(24) { |n| { n: n } })
      ids += handle.create_tasks("other", namespace: "shop", contexts: Array.new(7) { {} })
      handle.work(until: :idle, timeout: 40)
      ids.map { |id| handle.task(id) }
    end

    # What is said of these tasks.
    def expect_outcomes(report, tasks)
      failed = tasks.count(&:error?)
      expect(report).to have_attributes(ended: tasks.size, failed: failed, completed: tasks.size - failed, cancelled: 0,
                                        error_rate: failed.fdiv(tasks.size),
                                        completion_rate: (tasks.size - failed).fdiv(tasks.size))
      expect(report.task_running.to_h).to eq(spread(tasks.map { |task| exact(task.started_at, task.finished_at) }))
      expect(report.task_waiting.to_h).to eq(spread(tasks.map { |task| exact(task.created_at, task.started_at) }))
      steps = tasks.flat_map { |task| took(task).values }
      expect(report.step_running.to_h).to eq(spread(steps.map(&:first)))
      expect(report.step_waiting.to_h).to eq(spread(steps.map(&:last)))
    end

    it "sums up what ended exactly", limit: 90 do
      tasks = history
      analytics = performance.analytics
      expect(analytics.until - analytics.since).to be_within(1e-6).of(3600)
      expect_outcomes(analytics, tasks)
      expect(analytics.throughput).to be_within(1e-9).of(31 / 3600.0)
      expect(analytics.step_throughput).to be_within(1e-9).of(55 / 3600.0)
      flow, other = analytics.templates
      expect([flow.name, other.name, other.namespace, flow.version]).to eq(%w[flow other shop 1.0.0])
      expect_outcomes(flow, tasks.first(24))
      expect_outcomes(other, tasks.last(7))
      b = tasks.first(24).map { |task| took(task)["b"] }
      expect(flow.steps.map(&:name)).to eq(%w[a b])
      expect(flow.steps.last).to have_attributes(completed: 18, failed: 6, attempts: 24)
      expect([flow.steps.last.running.to_h, flow.steps.last.waiting.to_h]).to eq(b.transpose.map { |all| spread(all) })
    end

    it "takes only what ended in the window, of a namespace, of a name", limit: 90 do
      tasks = history
      since = tasks.map(&:finished_at).max(10).last
      expect_outcomes(performance.analytics(since: since), tasks.select { |task| task.finished_at >= since })
      expect(performance.analytics(namespace: "shop").templates.map(&:name)).to eq(["other"])
      expect(performance.analytics(name: "flow")).to have_attributes(ended: 24)
      nothing = performance.analytics(since: Time.now + 60)
      expect(nothing).to have_attributes(ended: 0, completion_rate: nil, error_rate: nil, throughput: 0.0,
                                         templates: [])
      expect(performance.analytics(namespace: "flow").task_running.to_h.values.compact).to eq([0])
    end

    it "names the slowest", limit: 90 do
      tasks = history
      slow = tasks.sort_by { |task| [-exact(task.started_at, task.finished_at), task.id] }.first(10)
      expect(performance.slowest_tasks.map(&:task_id)).to eq(slow.map(&:id))
      expect(performance.slowest_tasks(limit: 1).first).to have_attributes(
        name: "flow", status: slow[0].status, running_seconds: exact(slow[0].started_at, slow[0].finished_at).to_f,
        waiting_seconds: exact(slow[0].created_at, slow[0].started_at).to_f, finished_at: slow[0].finished_at
      )
      ran = tasks.flat_map { |task| took(task).map { |name, spans| [task.id, name, *spans.map(&:to_f)] } }
      found = performance.slowest_steps(limit: 1000)
      expect(found.map { |step| [step.task_id, step.step_name, step.running_seconds, step.waiting_seconds] })
        .to eq(ran.sort_by { |id, name, running, _| [-running, id, name] })
      expect(performance.slowest_steps(namespace: "shop", limit: 3).map(&:step_name)).to eq(%w[only only only])
      expect([found, found.first]).to all(be_frozen)
    end

    it "says how everything is", limit: 90 do
      gate = self.gate
      handle.tasks.count
      expect(performance.system_health).to have_attributes(total_tasks: 0, oldest_ready_seconds: nil, workers: 0,
                                                           ready_steps: 0, score: be_between(0.9, 1.0))
      history
      handle.register(workflow("gated") { step(:only) { gate.wait } })
      handle.register(single("retried", backoff: { kind: "linear", base: 600 }) { raise "again" })
      handle.create_task("gated", run_at: Time.now + 3600)
      handle.create_task("gated").pause
      handle.create_task("gated").cancel
      handle.create_task("retried")
      worker = handle.worker(threads: 1).start
      eventually { performance.system_health.in_backoff == 1 }
      handle.create_tasks("gated", contexts: [{}, {}, {}])
      eventually { gate.waiting == 1 }
      health = performance.system_health
      expect(health.tasks).to eq(pending: health.tasks[:pending], in_progress: 5 - health.tasks[:pending], paused: 1,
                                 complete: 25, error: 6, cancelled: 1, resolved_manually: 0)
      expect(health).to have_attributes(total_tasks: 38, in_backoff: 1, scheduled_steps: 1, leases_expired: 0,
                                        workers: 1)
      expect(health.ready_steps + health.leases_held).to eq(3)
      expect(health.pool).to include(max: 5)
      worked = 1 - (0.4 * 6 / 32) - (0.1 * health.pool[:in_use] / 5)
      late = [(health.oldest_ready_seconds || 0) / 300, 1].min
      expect(health.score).to be_within(1e-9).of(worked - (0.2 * late))
      gate.open
      worker.stop
    end

    it "says how long the oldest step is ready, and what dead workers hold", limit: 90 do
      gate = self.gate
      handle.register(single { gate.wait })
      handle.create_tasks("flow", contexts: [{}, {}])
      expect(performance.system_health).to have_attributes(ready_steps: 2, oldest_ready_seconds: be_between(0, 30))
      worker = handle.worker(threads: 1).start
      eventually { gate.waiting == 1 }
      held = performance.system_health.leases_held
      database.expire_leases
      expect(performance.system_health).to have_attributes(leases_held: 0, leases_expired: held, workers: 0) if sqlite?
      gate.open
      worker.stop
    end

    it "says what is wrong with a window" do
      %i[analytics slowest_steps slowest_tasks].each do |question|
        { since: [3, "yesterday"], namespace: [1, ""], name: [:"", []] }.each do |field, values|
          values.each do |value|
            expect { performance.public_send(question, field => value) }
              .to raise_error(TaskerCore::ValidationError) { |error| expect(error.path).to eq(field.to_s) }
          end
        end
        expect { performance.public_send(question, sinse: 1) }.to raise_error(ArgumentError)
      end
      expect { performance.slowest_tasks(limit: 0) }.to raise_error(TaskerCore::ValidationError, /limit/)
    end

    it "answers for the default handle, in frozen snapshots", limit: 90 do
      history
      reports = [performance.system_health, performance.analytics, *performance.analytics.templates,
                 *performance.analytics.templates.flat_map(&:steps), performance.analytics.step_running,
                 *performance.slowest_steps, *performance.slowest_tasks]
      reports.each do |report|
        expect(report.to_h).to eq(report.class::FIELDS.to_h { |field| [field, report.public_send(field)] })
        expect([report.frozen?, Ractor.shareable?(report)]).to all(be(true))
        expect(Marshal.load(Marshal.dump(report))).to eq(report)
        expect(JSON.parse(report.to_json)).to eq(report.as_json)
        expect(report.inspect).to match(/\A#<#{report.class} [^\n]{1,200}>\z/)
      end
      TaskerCore.configuration.database_url = database.url
      since = Time.now - 600
      expect(described_class.analytics(since: since)).to have_attributes(ended: 31, since: since.floor(6))
      expect(described_class.slowest_tasks).to eq(performance.slowest_tasks)
      expect(described_class.slowest_steps(limit: 2)).to eq(performance.slowest_steps(limit: 2))
      expect(described_class.system_health.tasks).to eq(performance.system_health.tasks)
    ensure
      TaskerCore::OrchestrationManager.instance.close
      TaskerCore.configuration.database_url = nil
    end
  end
end
