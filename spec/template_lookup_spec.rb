# frozen_string_literal: true

RSpec.describe TaskerCore::TemplateLookup do
  def pair(**changes)
    { name: "pair", steps: [{ name: "a" }, { name: "b", depends_on: "a", **changes }] }
  end

  let(:handlers) { { a: ->(_ctx) {}, b: ->(_ctx) {} } }

  each_database do
    it "checks a template and stores nothing" do
      expect(handle.check(pair, handlers: handlers)).to eq ["default", "pair", "1.0.0"]
      expect { handle.create_task("pair") }.to raise_error(TaskerCore::NotFoundError)
      expect { handle.check({ name: "pair", steps: [{ name: "a" }] }) }
        .to raise_error(TaskerCore::ValidationError, /the handler of the step "a": has no handler/)
    end

    it "says what tasks in the database use otherwise, as registering would" do
      handle.register(pair, handlers: handlers)
      changed = { name: "pair", steps: [{ name: "a" }, { name: "b" }] }
      expect(handle.check(changed, handlers: handlers).last).to eq "1.0.0"
      handle.create_task("pair")
      expect { handle.check(changed, handlers: handlers) }
        .to raise_error(TaskerCore::ValidationError, /does not depend on "a" any more/)
      expect(handle.check(pair(retry_limit: 7), handlers: handlers).last).to eq "1.0.0"
    end

    it "finds a template that another process registered" do
      handle.register(pair, handlers: handlers)
      other = open_handle
      template = other.template("pair")
      expect(template).to have_attributes(name: "pair", version: "1.0.0", steps: %w[a b],
                                          handlers: { "a" => nil, "b" => nil })
      expect { other.template("pair", version: "9.9.9") }.to raise_error(TaskerCore::NotFoundError, /there are: 1.0.0/)
      expect { other.template("a\0", namespace: 7) }
        .to raise_error(TaskerCore::ValidationError) { |e|
              expect(e.faults.map do |fault|
                       fault[:path]
                     end).to eq %w[namespace name]
            }
      expect { other.template("pear") }.to raise_error(TaskerCore::NotFoundError, /did you mean "pair"/)
    end
  end
end
