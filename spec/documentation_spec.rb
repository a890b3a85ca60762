# frozen_string_literal: true

# Every @example of the API's documentation runs, and each `# =>` in it is true.
RSpec.describe "The documentation's examples" do
  comment = /^\s*# ?/
  examples = Dir["#{Support::ROOT}/lib/**/*.rb"].flat_map do |path|
    lines = File.readlines(path, chomp: true)
    lines.each_index.select { |index| lines[index].match?(/# @example/) }.map do |index|
      code = lines.drop(index + 1).take_while { |line| line.match?(/^\s*#(   | *$)/) }
      ["#{path.delete_prefix("#{Support::ROOT}/")}:#{index + 1}", code.map { |line| line.sub(comment, "") }]
    end
  end

  it "are there" do
    expect(examples.size).to be > 15
  end

  examples.each do |place, code|
    it "run: #{place}" do
      Dir.mktmpdir do |folder|
        program = ["require \"tasker_core\"", *code.map { |line| Support::Documented.checked(line) }].join("\n")
        outcome = start_command([RbConfig.ruby, "-W1", "-I#{Support::ROOT}/lib", "-e", program], folder: folder).outcome
        expect(outcome).to be_success, "#{outcome.output}\n#{program}"
      end
    end
  end
end
