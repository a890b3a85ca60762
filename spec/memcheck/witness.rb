# frozen_string_literal: true

# A fault that bin/memcheck --witness has to find: memory is read that was given back.

require "fiddle"

RSpec.describe "memory that was given back" do
  it "is read" do
    freed = Fiddle::Pointer.new(Fiddle.malloc(64), 64)
    Fiddle.free(freed.to_i)
    expect(freed[0, 8].bytesize).to eq(8)
  end
end
