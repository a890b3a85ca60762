# frozen_string_literal: true

RSpec.describe "tasker, in a Rails app" do
  before(:context) do
    @app = Support::RailsApp.new("sqlite3")
    @app.write("app/workflows/fulfil_order.rb", <<~RUBY)
      class FulfilOrder < TaskerCore::Workflow
        step(:validate) { Rails.env }
        step(:ship, depends_on: :validate) { |ctx| ctx.result(:validate) }
      end
    RUBY
    @app.write("config/tasker.yml", "shared:\n  threads: 3\n")
  end

  after(:context) { @app.release }

  def tasker(*words) = @app.command("#{Support::ROOT}/exe/tasker", *words)

  it "has the app's settings, database and workflows" do
    said = tasker("check")
    expect(said).to match(%r{^database_url +sqlite:.*/storage/tasker_test.sqlite3 })
      .and match(%r{^threads +3 +.*config/tasker.yml})
      .and include("\ndefault/fulfil_order 1.0.0\n", "ActiveRecord's pool of 5", "0 errors, 1 warning")
    expect(tasker("migrate")).to match(/schema none -> \d+/)
    expect(tasker("run", "fulfil_order", "--work")).to end_with(" complete\n")
    expect(tasker("list", "--status", "complete", "--count")).to eq "1\n"
  end

  it "refuses the app's own file before it is open" do
    expect { tasker("check", "--database", "sqlite:db/test.sqlite3") }
      .to raise_error(/error: database: .* is the app's own database/)
  end
end
