# frozen_string_literal: true

# The typed way in and the way through JSON text lead to the same task, and what goes in comes out.
RSpec.describe "Random contexts" do
  # The same with Symbols for keys, and for some values.
  def symbolic(value)
    case value
    when Hash then value.to_h { |key, inner| [key.to_sym, symbolic(inner)] }
    when Array then value.map { |inner| symbolic(inner) }
    when "plain" then :plain
    else value
    end
  end

  # What a user sees of a task that isn't its own.
  def seen(task)
    task.to_h.except(:id, :key, :created_at)
  end

  each_database do
    it "are the same by both ways, and come back as they went" do
      seed = RSpec.configuration.seed
      handle.register(single { 1 })
      100.times do |round|
        random = Support::RandomJson.new(seed + round)
        context = random.object
        options = random.options
        typed = handle.create_task("flow", context: symbolic(context), **options)
        text = JSON.generate({ name: "flow", context: context, **options, key: "#{options[:key]} text" })
        by_text = handle.create_task_json(text)
        told = "seed #{seed}, round #{round}: #{context.inspect}"
        expect(seen(typed)).to eq(seen(by_text)), told
        expect([typed, typed.reload, by_text.reload].map(&:context)).to all(eq(context)), told
        expect(JSON.generate(typed.reload.context)).to eq(JSON.generate(context)), told
      end
    end
  end
end
