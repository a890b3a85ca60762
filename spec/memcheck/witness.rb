# frozen_string_literal: true

# A fault that bin/memcheck --witness has to find twice: memory is read that was given back.
RSpec.describe "memory that was given back" do
  fault = <<~RUBY
    require "fiddle"
    freed = Fiddle::Pointer.new(Fiddle.malloc(64), 64)
    Fiddle.free(freed.to_i)
    puts freed[0, 8].bytesize
  RUBY

  it "is read here" do
    expect { eval(fault, binding, __FILE__, __LINE__) }.to output("8\n").to_stdout # rubocop:disable Security/Eval
  end

  it "is read in a program" do
    expect(run_program(fault).lines).to eq(["8"])
  end
end
