# frozen_string_literal: true

require "rexml/document"

RSpec.describe TaskerCore::Drawing do
  def diamond
    { validate: [], reserve: %w[validate], charge: %w[validate], ship: %w[reserve charge] }
      .map { |name, parents| { name: name.to_s, depends_on: parents } }
  end

  it "draws a graph as lines with rails" do
    drawing = described_class.new("order", diamond)
    expect(drawing.text).to eq <<~TEXT
      ●    validate
      ├─╮
      ● │  reserve
      │ ●  charge
      ├─╯
      ●    ship
    TEXT
    expect(drawing.ascii).to eq <<~TEXT
      *    validate
      +-.
      * |  reserve
      | *  charge
      +-'
      *    ship
    TEXT
  end

  it "draws for Mermaid and Graphviz" do
    drawing = described_class.new("order", diamond)
    expect(drawing.mermaid.lines(chomp: true))
      .to eq ["flowchart TD", '  s0["validate"]', '  s1["reserve"]', '  s2["charge"]', '  s3["ship"]', "  s0 --> s1",
              "  s0 --> s2", "  s1 --> s3", "  s2 --> s3"]
    expect(drawing.dot).to start_with('digraph "order" {').and include("  s2 -> s3;\n").and end_with("}\n")
  end

  it "draws an SVG document that is well formed, whatever steps are called" do
    name = %q(</text><script>alert("1")</script> & 'more')
    steps = [{ name: name, status: "error", note: "<b>" }, { name: "next", depends_on: [name] }]
    document = REXML::Document.new(described_class.new("a <title>", steps).svg)
    expect(document.root.name).to eq "svg"
    expect(REXML::XPath.match(document, "//script")).to be_empty
    texts = REXML::XPath.match(document, "//text").map(&:text)
    expect(texts).to include("error, <b>", "next").and include(start_with("</text><script>"))
    expect(document.root.attributes.to_h.keys).not_to include("style")
  end

  it "says where everything stands" do
    layout = described_class.new("order", diamond).layout
    expect(layout[:steps].map { |step| step.values_at(:name, :layer, :status) })
      .to eq [["validate", 0, nil], ["reserve", 1, nil], ["charge", 1, nil], ["ship", 2, nil]]
    first = layout[:lines].first
    expect(first).to include(from: "validate", to: "reserve")
    expect(first[:points].size).to eq 2
    expect(layout).to be_frozen.and include(width: a_value > 100, height: a_value > 100)
  end

  it "says what is wrong with a graph or a format" do
    drawing = described_class.new("order", [{ name: "a", depends_on: ["b"] }])
    expect { drawing.svg }.to raise_error(TaskerCore::ValidationError, /steps\[0\].depends_on: there is no step "b"/)
    expect { described_class.new("x", []).render("svgg") }
      .to raise_error(TaskerCore::ValidationError, /did you mean "svg"\?/)
    expect { described_class.new("x", [{ name: "a", status: "completed" }]).text }
      .to raise_error(TaskerCore::ValidationError, /steps\[0\].status: .*did you mean "complete"\?/)
    expect { described_class.new("x", [{ name: "list" }, { name: "list[0]", item_of: "lists" }]).text }
      .to raise_error(TaskerCore::ValidationError, /steps\[1\].item_of: .*did you mean "list"\?/)
    expect { described_class.of(42) }.to raise_error(TaskerCore::ValidationError, /what has a graph/)
  end

  each_database do
    it "draws templates, workflows and tasks as they are" do
      flow = workflow do
        step(:a) { 1 }
        step(:b, depends_on: :a, retry_limit: 1) { raise "no" }
        step(:c, depends_on: :b) { 3 }
      end
      template = handle.register(flow)
      text = "●  a\n●  b\n●  c\n"
      expect([described_class.of(flow).text, described_class.of(template).text]).to eq [text, text]
      task = handle.create_task("flow")
      handle.work(until: :idle, timeout: 20)
      expect(described_class.of(task).text).to eq "✓  a (complete)\n✗  b (error)\n○  c (pending)\n"
    end

    it "draws the items of a list as one step, or each" do
      handle.register(workflow do
        step(:split) { [1, 2, 3] }
        step(:part, depends_on: :split, each: :split, retry_limit: 1) { |ctx| raise "no" if ctx.item == 2 }
      end)
      task = handle.create_task("flow")
      handle.work(until: :idle, timeout: 20)
      expect(described_class.of(task).text.lines.last).to eq "○  part (pending, 2/3 items done, 1 in error)\n"
      each = described_class.of(task, items: true).text
      expect(each).to include("part[0] (complete)", "part[1] (error)", "part (pending)")
    end

    it "draws a step that is only called like an item as one of its own" do
      flow = workflow do
        step(:load) { 1 }
        step("load[1]") { 2 }
        step(:end, depends_on: "load[1]", each: ->(_) { [nil, nil] }) { 3 }
      end
      template = handle.register(flow)
      text = "●  load\n●  load[1]\n●  end\n"
      expect([described_class.of(flow).text, described_class.of(template).text]).to eq [text, text]
      task = handle.create_task("flow")
      expect(described_class.of(task).text).to eq text.gsub("●", "○").gsub("\n", " (pending)\n")
      handle.work(until: :idle, timeout: 20)
      expect(described_class.of(task).text.lines)
        .to eq ["✓  load (complete)\n", "✓  load[1] (complete)\n", "✓  end (complete, 2/2 items done)\n"]
    end
  end
end
