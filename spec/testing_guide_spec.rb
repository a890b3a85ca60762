# frozen_string_literal: true

# TESTING.md is a small project: each block of Ruby says in its first line which file it is.
RSpec.describe "TESTING.md" do
  text = File.read("#{Support::ROOT}/TESTING.md")
  files = text.scan(/^```ruby\n# (\S+)\n(.+?)^```$/m)

  around { |example| Dir.mktmpdir { |folder| (@folder = folder) && example.run } }

  before do
    files.each do |path, source|
      FileUtils.mkdir_p(File.dirname("#{@folder}/#{path}"))
      File.write("#{@folder}/#{path}", source)
    end
  end

  def ruby(*arguments)
    lib = "#{Support::ROOT}/lib"
    start_command([RbConfig.ruby, "-W1", "-I#{lib}", *arguments], folder: @folder).outcome
  end

  def rspec(*paths)
    ruby("-rrspec/core", "-e", "exit RSpec::Core::Runner.run(ARGV)", "--", "-r./spec/spec_helper", *paths)
  end

  it "holds all that it shows" do
    expect(files.size).to eq(text.scan(/^```ruby$/).size)
    expect(files.map(&:first)).to include("app/fulfil_order.rb", "test/fulfil_order_test.rb")
  end

  it "has examples for RSpec that pass" do
    outcome = rspec("spec")
    expect(outcome).to be_success, outcome.output
    expect(outcome.output).to match(/2[0-9] examples, 0 failures$/)
  end

  it "has tests for Minitest that pass" do
    outcome = ruby("test/fulfil_order_test.rb")
    expect(outcome).to be_success, outcome.output
    expect(outcome.output).to include("11 runs, ", " 0 failures, 0 errors, 0 skips")
  end

  it "shows a failure as it looks" do
    File.write("#{@folder}/wrong_spec.rb", <<~RUBY)
      RSpec.describe FulfilOrder do
        it "is wrong" do
          fail_step(:charge, with: TaskerCore::PermanentError.new("declined"))
          expect(run_workflow(FulfilOrder, order_id: 7)).to complete_task
        end
      end
    RUBY
    shown = text[/^```text\n(.+?)^```$/m, 1].lines.map(&:chomp)
    output = rspec("wrong_spec.rb").output.gsub(/task [0-9a-f-]{36}/, "task …").lines.map do |line|
      line.chomp.delete_prefix(" " * 7)
    end
    expect(output).to include(*shown)
  end
end
