# frozen_string_literal: true

RSpec.describe "ActiveJob" do
  include Support::Jobs
  include Support::Application

  jobs = Support::Jobs

  each_database do
    before { use_jobs }
    after { forget_jobs }

    def tasks = TaskerCore.tasks.to_a

    def work
      TaskerCore::OrchestrationHandle.jobs ||= TaskerCore::JobTask
      TaskerCore.handle.work(until: :idle, timeout: 20)
    end

    describe "with tasker as its adapter" do
      before { ActiveJob::QueueAdapters::TaskerAdapter.new }

      it "runs a job as a task of one step, with its arguments" do
        job = jobs::Plain.perform_later("a", 1, { "b" => [nil] }, :c, jobs::Person.new(7), Time.at(0).utc, key: 1)
        expect(tasks.map(&:id)).to eq([job.provider_job_id])
        expect(tasks.first).to have_attributes(namespace: "active_job", name: "job", queue: "default", priority: 0,
                                               tags: ["Support::Jobs::Plain"], status: "pending")
        expect(work.ran).to eq(1)
        expect(logged).to eq([["a", 1, { "b" => [nil] }, :c, jobs::Person.new(7), Time.at(0).utc, { key: 1 }]])
        expect(tasks.first).to be_complete
        expect(tasks.first.context["job_id"]).to eq(job.job_id)
      end

      it "takes queues, times and priorities, of which the lower goes first" do
        later = Time.now + 3_600
        jobs::Plain.set(wait_until: later, queue: "other", priority: 5).perform_later
        jobs::Mailer.set(wait: 60).perform_later("x")
        jobs::Plain.set(priority: -99_999).perform_later
        first, second, third = tasks.reverse
        expect(first).to have_attributes(queue: "other", priority: -5, run_at: be_within(1).of(later))
        expect(second).to have_attributes(queue: "mailers", priority: -7, run_at: be_within(20).of(Time.now + 60))
        expect(third).to have_attributes(run_at: nil, priority: 32_767)
        [3, 1, 2].each { |priority| jobs::Moody.set(priority: priority).perform_later(priority) }
        TaskerCore.handle.work(until: :idle, threads: 1, timeout: 20)
        expect(logged.grep(Array).filter_map(&:first)).to eq([1, 2, 3])
      end

      it "leaves what is tried again to retry_on, and what ends a job to the job" do
        busy = jobs::Moody.perform_later("busy")
        work
        log = logged
        expect(log).to eq([1, 2, 3].map { |executions| ["busy", executions, busy.job_id] })
        expect(tasks.map(&:status)).to eq(%w[error complete complete])
        expect(tasks.first.error).to include("class" => "Support::Jobs::Busy", "message" => "busy")
        expect(tasks.last.id).to eq(busy.provider_job_id)
        %w[gone key bad fine].each { |mood| jobs::Moody.perform_later(mood) }
        work
        expect(tasks.first(4).map(&:status)).to eq(%w[complete error complete complete])
        expect(logged.grep(String)).to contain_exactly("key", "performed")
      end

      it "enqueues many at once" do
        urgent = jobs::Plain.new(3).tap { |job| job.priority = 1 }
        all = [jobs::Plain.new(1), jobs::Plain.new(2), jobs::Mailer.new("x"), urgent]
        all.last.define_singleton_method(:successfully_enqueued=) { |yes| @enqueued = yes }
        expect(jobs::Base.queue_adapter.enqueue_all(all)).to eq(4)
        expect(all.map(&:provider_job_id)).to match_array(tasks.map(&:id))
        expect(all.last.instance_variable_get(:@enqueued)).to be(true)
        expect(TaskerCore.task(all[1].provider_job_id).context["arguments"]).to eq([2])
      end

      it "enqueues many with perform_all_later, where Rails has it" do
        skip "before Rails 7.1" unless ActiveJob.respond_to?(:perform_all_later)
        all = [jobs::Plain.new(1), jobs::Plain.new(2).set(wait: 60)]
        ActiveJob.perform_all_later(all)
        expect(all).to all(be_successfully_enqueued)
        expect(all.map { |job| TaskerCore.task(job.provider_job_id).run_at.nil? }).to eq([true, false])
      end

      it "waits for transactions, and knows its task's id before" do
        connect_application
        job = nil
        order_class.transaction do
          job = jobs::Plain.perform_later(1)
          expect(job.provider_job_id).not_to be_nil
          expect(tasks).to eq([])
        end
        expect(tasks.map(&:id)).to eq([job.provider_job_id])
        order_class.transaction { jobs::Plain.perform_later(2) && raise(ActiveRecord::Rollback) }
        expect(tasks.size).to eq(1)
        expect(jobs::Base.queue_adapter.enqueue_after_transaction_commit?).to be(false)
      ensure
        disconnect_application
      end

      it "tells a job whether its worker is being stopped" do
        adapter = jobs::Base.queue_adapter
        expect(adapter.stopping?).to be(false)
        stopping = Queue.new
        go = Queue.new
        waiting = Class.new(jobs::Base) { define_method(:perform) { go.pop && stopping.push(adapter.stopping?) } }
        stub_const("WaitingJob", waiting)
        waiting.perform_later
        worker = TaskerCore.handle.worker(threads: 1).start
        eventually { go.num_waiting == 1 }
        stopper = Thread.new { worker.stop(timeout: 10) }
        eventually { !worker.running? }
        go << true
        expect(stopping.pop).to be(true)
        stopper.join
      end
    end

    describe "as a step" do
      def mail(arguments, context: {}, job: Support::Jobs::Mailer, **options)
        flow = workflow do
          step(:receipt) { { "lines" => ["a", { "cents" => 5 }], "to" => "Eve" } }
          step :mail, **{ job: job, depends_on: :receipt, arguments: arguments, **options }.compact
        end
        @task = run_task(flow, context: context)
        @task.step(:mail)
      end

      it "is called with what its arguments lead to, and gives its result" do
        expect(mail("context.to", context: { to: "Ada" }).result).to eq("to" => "Ada!", "subject" => "hello")
        step = mail(["receipt.to", { subject: 3 }])
        expect(step).to have_attributes(queue: "mailers", priority: -7, status: "complete")
        expect(step.result).to eq("to" => "Eve!", "subject" => 3)
        list = mail(->(ctx) { [ctx.result(:receipt)["to"].dup, { more: ctx.result(:receipt)["lines"][1]["cents"] }] })
        expect(list.result).to eq("to" => "Eve!", "subject" => "hello", "more" => 5)
        expect(mail(["receipt.lines.1.cents"], job: "Support::Jobs::Moody", queue: "own", priority: 2))
          .to have_attributes(result: 5, queue: "own", priority: 2)
        expect(mail(["receipt.lines.7"]).error["message"]).to include('there is no "7"')
        expect(mail(["recept.to"]).error["message"]).to include('did you mean "receipt"')
        expect(mail(->(_ctx) { 7 }).error["message"]).to include("an Array or a Hash")
      end

      it "has no result where what its job returns can't be recorded" do
        [2**64, -(2**63) - 1, "\xff", "\xff".b, [Float::NAN], { "\xff" => 1 }, Time.now].each do |value|
          stub_const("OddJob", odd = Class.new(jobs::Base) { define_method(:perform) { value } })
          expect(mail(nil, job: odd)).to have_attributes(status: "complete", result: nil)
        end
        kept = [(2**64) - 1, -(2**63), 1.5, "é", "tea".b, { "a" => [nil, true] }]
        stub_const("OddJob", odd = Class.new(jobs::Base) { define_method(:perform) { kept } })
        expect(mail(nil, job: odd).result).to eq(kept)
      end

      it "is called with the context, or with nothing, where nothing is said" do
        none = Class.new(jobs::Base) { def perform = Support::Jobs.log << "none" }
        keywords = Class.new(jobs::Base) { def perform(to:, from: 1) = { to: to, from: from } }
        stub_const("NoneJob", none)
        stub_const("KeywordsJob", keywords)
        # What can't be recorded is left out.
        expect(mail(nil, job: none)).to have_attributes(status: "complete", result: nil)
        expect(logged).to eq(["none"])
        expect(mail(nil, job: keywords, context: { to: 2 }).result).to eq("to" => 2, "from" => 1)
        expect(mail({ to: "receipt.to", from: 3 }, job: keywords).result).to eq("to" => "Eve", "from" => 3)
        expect(mail(nil, job: jobs::Moody, context: { a: 1 }).result).to eq("a" => 1)
      end

      it "is tried again as its job says, under one id" do
        step = mail(["context.mood"], job: jobs::Moody, context: { mood: "busy" })
        expect(logged).to eq([1, 2, 3].map { |executions| ["busy", executions, "#{@task.id}/1"] })
        expect(step).to have_attributes(status: "error", attempts: 3, error: include("class" => "Support::Jobs::Busy"))
        expect(@task.history.map(&:to).count("waiting_for_retry")).to eq(2)
        expect(tasks.size).to eq(1)
        gone = mail(["context.mood"], job: jobs::Moody, context: { mood: "gone" })
        expect(gone).to have_attributes(status: "complete", attempts: 1, result: nil)
        expect(mail(["context.mood"], job: jobs::Moody, context: { mood: "key" }).status).to eq("complete")
        bad = mail(["context.mood"], job: jobs::Moody, context: { mood: "bad" })
        expect(bad).to have_attributes(status: "error", attempts: 1, error: include("class" => "ArgumentError"))
      end

      it "is tried again as the step says, where that says something" do
        step = mail(["context.mood"], job: jobs::Moody, context: { mood: "bad" }, retry_limit: 2, backoff: "none")
        expect(step).to have_attributes(status: "error", attempts: 2)
        busy = mail(["context.mood"], job: jobs::Moody, context: { mood: "busy" }, retry_limit: 2)
        expect(busy).to have_attributes(status: "error", attempts: 2)
      end

      it "is tried again where its job asks, whatever that makes of errors, and does first what comes after" do
        asking = Class.new(jobs::Base) do
          retry_on(StandardError, wait: 0, attempts: 2)
          rescue_from(TaskerCore::Error) { |error| Support::Jobs.log << error.class }

          def perform
            retry_job(wait: 0) if executions < 5
            Support::Jobs.log << executions
          rescue StandardError
            Support::Jobs.log << "rescued"
          end
        end
        stub_const("AskingJob", asking)
        step = mail(nil, job: asking)
        expect(step).to have_attributes(status: "complete", attempts: 5)
        expect(logged).to eq([1, 2, 3, 4, 5])
      end

      it "is in error at once with what no handler of errors sees, too" do
        deep = ->(again) { again.call(again) }
        own = stub_const("OwnError", Class.new(Exception)) # rubocop:disable Lint/InheritException -- as some are
        { NotImplementedError => -> { raise NotImplementedError }, SystemStackError => -> { deep.call(deep) },
          own => -> { raise own } }.each do |error, does|
          stub_const("FailingJob", failing = Class.new(jobs::Base) { define_method(:perform) { does.call } })
          expect(mail(nil, job: failing, backoff: "none"))
            .to have_attributes(status: "error", attempts: 1, error: include("class" => error.name))
        end
      end

      it "runs out of time three times, beside what its job asks for" do
        slow = Class.new(jobs::Base) do
          def perform
            Support::Jobs.log << executions
            executions.odd? ? retry_job(wait: 0) : sleep
          end
        end
        stub_const("SlowJob", slow)
        step = mail(nil, job: slow, timeout: 0.3, interrupt: true, backoff: "none")
        expect(logged).to eq([1, 2, 3, 4, 5, 6])
        expect(step).to have_attributes(status: "error", attempts: 7)
        expect(step.error).to include("class" => "TaskerCore::PermanentError", "message" => include("3 attempts"))
        @task.retry
        handle.work(until: :idle, timeout: 20)
        expect(logged).to eq([1, 2, 3, 4, 5, 6])
      end

      it "counts errors from the beginning when it is tried afresh" do
        mail(["context.mood"], job: jobs::Moody, context: { mood: "busy" })
        logged
        @task.retry
        handle.work(until: :idle, timeout: 20)
        expect(logged.map { |_, executions, _| executions }).to eq([1, 2, 3])
      end

      it "is done for each item of a list" do
        flow = workflow do
          step(:list) { %w[a b] }
          step(:mail, depends_on: :list, each: "list", job: Support::Jobs::Mailer, arguments: ["item"])
        end
        expect(run_task(flow).step(:mail).result.map { |mail| mail["to"] }).to eq(%w[a! b!])
      end

      it "is a template's in YAML too" do
        file = Tempfile.new(["flow", ".yml"])
        file.write("name: mailing\nsteps:\n  - name: mail\n    job: Support::Jobs::Mailer\n    arguments: context.to\n")
        file.close
        handle.register(file.path)
        task = handle.create_task("mailing", context: { to: "Ada" })
        handle.work(until: :idle, timeout: 20)
        expect(task.reload.step(:mail).result["to"]).to eq("Ada!")
      end

      it "is refused where there is no such job" do
        wrong = { name: "flow", steps: [{ name: "a", job: "Nope" }, { name: "b", job: String },
                                        { name: "c", job: jobs::Plain, handler: ->(_) {} }] }
        faults = error_of { handle.register(wrong) }.faults
        expect(faults.map { |fault| fault[:path] }).to include("steps[0].job", "steps[1].job", "steps[2].job")
        expect(faults.map { |fault| fault[:message] }.join(" "))
          .to include('"Nope" can\'t be loaded', "no class of ActiveJob's", "give one of them")
      end
    end
  end
end
