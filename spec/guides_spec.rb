# frozen_string_literal: true

# What stands in guides/ runs. A block of Ruby whose first line is a file's name is that file; one marked `old` is for
# another library, and is only looked over; all others of a page are one program, in which `# =>` is true. Then what a
# page shows of a console happens, in its order.
RSpec.describe "The guides" do
  pages = Dir["#{Support::ROOT}/guides/*.md"].to_h { |path| [File.basename(path), File.read(path)] }
  # The line after its fence, what is behind the fence, and the code.
  blocks = lambda do |page|
    page.to_enum(:scan, /^```ruby( old)?\n(.*?)^```$/m).map do
      found = Regexp.last_match
      [found.pre_match.count("\n") + 2, found[1], found[2]]
    end
  end
  file = /\A# (\S+\.(?:rb|yml))\n/

  it "are there, and the README leads to each" do
    expect(pages.size).to be >= 6
    readme = File.read("#{Support::ROOT}/README.md")
    expect(pages.keys.reject { |name| readme.include?("(guides/#{name})") }).to eq([])
  end

  # spec/examples_spec.rb runs its first block; the others are excerpts.
  it "begin with a README whose Ruby can be read, and whose links lead somewhere" do
    readme = File.read("#{Support::ROOT}/README.md")
    blocks.call(readme).each { |line, _, code| RubyVM::InstructionSequence.compile(code, nil, "README.md", line) }
    links = readme.scan(/\]\(([^)#]+)/).flatten.grep_v(/\Ahttps?:/)
    expect(links.reject { |link| File.file?("#{Support::ROOT}/#{link}") }).to eq([])
  end

  it "lead to pages and headings that are there" do
    pages.each do |name, page|
      links = page.scan(/\]\(([^)]+)\)/).flatten.grep_v(/\Ahttps?:/).map { |link| link.sub(/#.*/, "") }.reject(&:empty?)
      missing = links.reject { |link| File.file?(File.expand_path(link, "#{Support::ROOT}/guides")) }
      expect([name, missing]).to eq([name, []])
    end
  end

  pages.each do |name, page|
    describe name do
      around { |example| Dir.mktmpdir { |folder| (@folder = folder) && example.run } }

      before do
        blocks.call(page).each do |_, old, code|
          File.write("#{@folder}/#{code[file, 1]}", code) if !old && code.match?(file)
        end
      end

      it "is true", limit: 120 do
        blocks.call(page).each { |line, old, code| RubyVM::InstructionSequence.compile(code, name, name, line) if old }
        run_the_program
        run_the_console
      end

      # With each line where it stands on the page.

      define_method(:run_the_program) do
        lines = []
        blocks.call(page).reject { |_, old, code| old || code.match?(file) }.each do |line, _, code|
          code.lines(chomp: true).each_with_index { |one, at| lines[line + at - 1] = Support::Documented.checked(one) }
        end
        program = "#{@folder}/.#{name}.rb"
        File.write(program, lines.join("\n"))
        outcome = start_command([RbConfig.ruby, "-W1", "-I#{Support::ROOT}/lib", "-rtasker_core", program],
                                folder: @folder).outcome
        expect(outcome).to be_success, outcome.output
      end

      define_method(:run_the_console) do
        examples = Support::Console.shown(page)
        console = Support::Console.new(@folder) if examples.any?
        examples.each do |shown|
          said, expected = console.run(shown)
          expect(said).to match(expected), "#{name}:#{shown.line}: #{shown.command}\nsaid\n#{said}\nnot\n#{expected}"
        end
      ensure
        console&.close
      end
    end
  end
end
