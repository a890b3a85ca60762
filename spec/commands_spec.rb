# frozen_string_literal: true

# COMMANDS.md, read from above: every command runs, and says what is shown.
RSpec.describe "The page about commands" do
  page = File.read("#{Support::ROOT}/COMMANDS.md")

  it "is true", limit: 120 do
    Dir.mktmpdir do |folder|
      File.write("#{folder}/app.rb", page[/^```ruby\n(# app\.rb\n.*?)^```$/m, 1])
      console = Support::Console.new(folder)
      shown = Support::Console.shown(page)
      expect(shown.size).to be > 20
      shown.each do |example|
        said, expected = console.run(example)
        expect(said).to match(expected),
                        "COMMANDS.md:#{example.line}: #{example.command}\nsaid\n#{said}\nnot\n#{expected}"
      end
      expect(File.read("#{folder}/order.svg")).to include(">validate</text>")
    ensure
      console&.close
    end
  end

  it "is about every command" do
    commands = Support::Console.shown(page).map { |example| example.command.split[1] }.uniq
    expect(commands).to include(*TaskerCore::CLI.names - ["work"])
  end
end
