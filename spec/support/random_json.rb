# frozen_string_literal: true

module Support
  # Values from a seed, of all kinds that JSON has.
  class RandomJson
    TEXTS = ["", "plain", "é", "𝄞🦀", "\u0000", "\"\\/", "\u2028", "a.b[0]", "\r\n\t", " "].freeze

    def initialize(seed)
      @random = Random.new(seed)
    end

    def object(depth = 4)
      Array.new(@random.rand(0..9)) { [text, value(depth - 1)] }.to_h
    end

    # What create_task is asked for, beside the context.
    def options
      { key: "k#{@random.rand(2**64)}", priority: @random.rand(-32_767..32_767),
        tags: Array.new(@random.rand(0..3)) { |n| "t#{n}" },
        reason: [nil, "because", "é" * 1_024].sample(random: @random) }
    end

    private

    def value(depth)
      case @random.rand(depth.positive? ? 10 : 7)
      when 0 then nil
      when 1 then @random.rand(2).zero?
      when 2 then integer
      when 3 then @random.rand * (10**@random.rand(-300..300))
      when 4, 5, 6 then text
      when 7 then Array.new(@random.rand(0..5)) { value(depth - 1) }
      else object(depth)
      end
    end

    def integer
      edge = [0, 2**31, 2**53, (2**63) - 1, -2**63, (2**64) - 1].sample(random: @random)
      (edge + @random.rand(-2..2)).clamp(-2**63, (2**64) - 1)
    end

    def text
      Array.new(@random.rand(0..3)) { TEXTS.sample(random: @random) }.join + @random.rand(100).to_s
    end
  end
end
