# frozen_string_literal: true

# Names and values that mean something to SQL, to JSON or to a shell: each comes back as it went in, or is refused. All
# of it travels as parameters of statements.
RSpec.describe "Names and values" do
  texts = {
    "quotes" => %q('"`''""\\'), "SQL" => "'; DROP TABLE tasker_tasks; --",
    "more SQL" => "1); DELETE FROM tasker_tasks; (",
    "placeholders" => "$1 ? ?1 :a @a %s %(a)s {} \#{1}", "patterns" => "%_[a-z]*?.+(", "dollar quotes" => "$$ $a$ $a$",
    "4-byte characters" => "𝄞🦀👩‍👩‍👧", "marks" => "e\u0301\u202E\u200B\uFEFF", "a JSON key of a library's own" =>
    "$serde_json::private::RawValue", "paths" => "../../etc/passwd", "ends of strings" => "a\\' OR ''='"
  }

  # What the block gives, or the class of the refusal.
  def taken
    yield
  rescue TaskerCore::ValidationError
    :refused
  end

  each_database do
    before { handle.register(single(&:context)) }

    # Nothing but what was asked for happened to the database.
    def expect_unharmed(tasks)
      expect(handle.tasks.count).to eq(tasks)
      expect(count("tasker_tasks")).to eq(tasks)
    end

    def create_with(text)
      handle.create_task("flow", context: { text => [text, { text => text }] }, key: text, tags: [text, "b"],
                                 initiator: text, reason: text)
    end

    def expect_found(task, text)
      expect(task.reload).to have_attributes(context: { text => [text, { text => text }] }, key: text,
                                             tags: [text, "b"], initiator: text, reason: text)
      [{ key: text }, { tag: text }].each { |filter| expect(handle.tasks(**filter).map(&:id)).to eq([task.id]) }
      expect(handle.create_task("flow", key: text, on_duplicate: :return).id).to eq(task.id)
    end

    it "come back as they went in, and are found" do
      tasks = texts.values.to_h { |text| [create_with(text), text] }
      tasks.each { |task, text| expect_found(task, text) }
      handle.work(until: :idle, timeout: 30)
      tasks.each { |task, text| expect(task.step(:only).result).to eq({ text => [text, { text => text }] }) }
      expect_unharmed(texts.size)
    end

    it "of remarks and of operations by hand come back, too" do
      texts.each_value do |text|
        task = handle.create_task("flow")
        # The type of a remark is a name.
        type = text.tr("/", "|")
        task.annotate(type, { text => text }, by: text)
        expect(task.annotations(type: type).map { |one| [one.type, one.value, one.by] })
          .to eq([[type, { text => text }, text]])
        expect(handle.tasks(annotation: type).map(&:id)).to eq([task.id])
        task.cancel(reason: text, by: text)
        expect(task.history.last.metadata.values).to include(text)
        expect(handle.retry_tasks(key: text, reason: text, by: text, dry_run: true).task_ids).to eq([])
      end
      expect_unharmed(texts.size)
    end

    # A template with a name of that text in one place.
    def templates_with(text)
      steps = [{ name: text, handler: ->(_) { text } },
               { name: "b", depends_on: text, handler: ->(ctx) { ctx.result(text) } }]
      usual = [{ name: "a", handler: ->(_) { text } }]
      [{ name: text, steps: usual }, { name: "x", namespace: text, steps: usual }, { name: "y", steps: steps },
       { name: "z", version: text, steps: usual }, { name: "w", steps: usual, defaults: { config: { text => text } } }]
    end

    it "may be those of templates and steps, or are refused" do
      tasks = texts.values.each_with_index.flat_map do |text, number|
        templates_with(text).filter_map do |template|
          stored = taken { handle.register({ version: "#{number}.0.0", **template }) }
          handle.create_task(stored) unless stored == :refused
        end
      end
      handle.work(until: :idle, timeout: 30)
      expect(tasks.size).to be > texts.size * 3
      expect(tasks.map { |task| task.reload.status }.uniq).to eq(["complete"])
      expect_unharmed(tasks.size)
    end

    it "of 10,000 characters come back where values may be so long, and are refused where names may not" do
      long = "é🦀" * 5_000
      task = handle.create_task("flow", context: { long => long })
      expect(task.reload.context).to eq({ long => long })
      %i[key queue initiator reason namespace version].each do |field|
        error = error_of { handle.create_task("flow", field => long) }
        expect([error.class, error.path]).to eq([TaskerCore::ValidationError, field.to_s])
        expect(error.message.size).to be < 500
      end
      expect(error_of { handle.create_task(long) }.message.size).to be < 500
      expect(error_of { task.annotate(long, 1) }).to have_attributes(path: "type")
      expect(error_of { handle.tasks(key: long).count }).to be_a(TaskerCore::ValidationError)
      expect(error_of { task.step(long) }.message.size).to be < 30_000
      expect_unharmed(1)
    end

    it "are what a schema sees, whatever a key is called" do
      handle.register(workflow("strict") do
        input type: "object", required: ["n"], properties: { n: { type: "integer" } }
        step(:only, &:context)
      end)
      sly = { "$serde_json::private::RawValue" => '{"n":1}' }
      expect(error_of do
               handle.create_task("strict", context: sly)
             end).to have_attributes(path: "context", message: /"n"/)
      expect(error_of { handle.create_task_json(JSON.generate(name: "strict", context: sly)) })
        .to have_attributes(path: "context", message: /"n"/)
      expect(error_of { handle.create_task_json(JSON.generate(name: "flow", context: [sly.transform_values { 1 }])) })
        .to have_attributes(class: TaskerCore::ValidationError, path: "context")
      task = handle.create_task("strict", context: { "n" => 1, "deep" => [sly] })
      expect(task.reload.context).to eq({ "n" => 1, "deep" => [sly] })
      expect(handle.create_task_json(JSON.generate(name: "flow", context: sly)).context).to eq(sly)
    end

    it "of queues are taken as they are by pauses and workers, or refused" do
      texts.each_value do |text|
        paused = taken { handle.pause_queue(text, reason: text, by: text) }
        next if paused == :refused

        expect(handle.paused_queues.map { |pause| [pause.queue, pause.reason, pause.by] }).to eq([[text, text, text]])
        handle.resume_queue(text)
        handle.worker(threads: 1, queues: [text]).start.stop(timeout: 1)
      end
      expect(handle.paused_queues).to be_empty
      expect_unharmed(0)
    end

    it "that are looked for in contexts are found as they are" do
      handle.register(workflow("sought") { search("a", "b.c") && step(:only) { 1 } })
      tasks = texts.values.to_h do |text|
        [text, handle.create_task("sought", context: { a: text, b: { c: text } }).id]
      end
      tasks.each do |text, id|
        expect(handle.tasks(context: { "a" => text }).map(&:id)).to eq([id])
        expect(handle.tasks(context: { "b.c" => text }).map(&:id)).to eq([id])
      end
    end
  end
end
