# frozen_string_literal: true

# Each block of Ruby says in its first line which file it is; `# =>` says what a line prints.
%w[TRANSACTIONS.md ACTIVE_JOB.md].each do |guide|
  RSpec.describe guide do
    text = File.read("#{Support::ROOT}/#{guide}")
    files = text.scan(/^```ruby\n# (\S+)\n(.+?)^```$/m).to_h

    it "holds all that it shows" do
      expect(files.size).to eq(text.scan(/^```ruby$/).size)
    end

    files.each_key.grep_v("app.rb").each do |name|
      it "shows what #{name} prints" do
        Dir.mktmpdir do |folder|
          files.each { |path, source| File.write("#{folder}/#{path}", source) }
          command = [RbConfig.ruby, "-W1", "-I#{Support::ROOT}/lib", name]
          outcome = start_command(command, env: { "URL" => nil }, folder: folder).outcome
          expect(outcome).to be_success, outcome.output
          expect(outcome.lines).to eq(files[name].scan(/# => (.+)$/).flatten)
        end
      end
    end
  end
end
