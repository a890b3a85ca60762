# frozen_string_literal: true

require "psych"

module TaskerCore
  # A YAML file as values that JSON has too, and the line on which each stands. Nothing but text, numbers, true,
  # false, null, lists and mappings comes out of it; what else YAML knows is a fault.
  #
  # @api private
  class YamlDocument
    # The most values that aliases may stand for. A few lines of aliases to aliases can stand for billions.
    MOST_COPIES = 10_000
    # Deeper than a template with the deepest config that is allowed.
    MOST_LEVELS = 80
    MERGE = "<<"
    # What YAML has no place for, not even between quotes.
    UNPRINTABLE = /[^\t\n\r\x20-\x7E\u0085\u00A0-\uFFFD\u{10000}-\u{10FFFF}]/
    TAGS = { Psych::Nodes::Scalar => "str", Psych::Nodes::Sequence => "seq", Psych::Nodes::Mapping => "map" }
           .transform_values { |name| [nil, "!", "tag:yaml.org,2002:#{name}"] }.freeze
    private_constant :MOST_COPIES, :MOST_LEVELS, :MERGE, :UNPRINTABLE, :TAGS

    # @return [Object] the document; nil where it can't be read
    attr_reader :value
    # @return [Array<Array(String, String, Integer)>] path, message and line of what is wrong
    attr_reader :faults
    # @return [Hash{String => Integer}] by path
    attr_reader :lines

    # @param text [String] UTF-8, or bytes that may be
    def initialize(text)
      @faults = []
      @lines = { "" => 1 }
      @anchors = {}
      @open = []
      @copying = false
      @copies = 0
      @scanner = Psych::ScalarScanner.new(Psych::ClassLoader::Restricted.new([], []))
      text = text.dup.force_encoding(Encoding::UTF_8).delete_prefix("\uFEFF")
      root = root_of(text) if readable?(text)
      @value = catch(:too_much) { build(root, "") } if root
    end

    private

    # Psych says the same, and that it is in the first line.
    def readable?(text)
      text.each_line.with_index(1) do |line, number|
        problem = problem_of(line) or next
        fault("", problem, number)
        return false
      end
      true
    end

    def problem_of(line)
      return "is not UTF-8" unless line.valid_encoding?

      "has control characters in it" if line.match?(UNPRINTABLE)
    end

    def root_of(text)
      first, second = Psych.parse_stream(text).children
      fault("", "holds a second document; a file holds one template", second.start_line + 1) if second
      first&.root
    rescue Psych::SyntaxError => e
      tab = "; YAML is not indented with tabs" if text.lines[e.line - 1].to_s.match?(/\A\s*\t/)
      fault("", "#{e.problem} #{e.context}".strip + tab.to_s, e.line)
      nil
    end

    def build(node, path)
      count_copy if @copying
      @lines[path] = node.start_line + 1
      return copy(node, path) if node.is_a?(Psych::Nodes::Alias)

      @anchors[node.anchor] = node if node.anchor
      check_tag(node, path)
      @open.push(node)
      too_much("is nested deeper than #{MOST_LEVELS} levels", @lines[path]) if @open.size > MOST_LEVELS
      children(node, path)
    ensure
      @open.pop if @open.last.equal?(node)
    end

    def children(node, path)
      case node
      when Psych::Nodes::Mapping then mapping(node, path)
      when Psych::Nodes::Sequence then node.children.each_with_index.map { |item, i| build(item, "#{path}[#{i}]") }
      else scalar(node, path)
      end
    end

    def check_tag(node, path)
      return if TAGS.fetch(node.class).include?(node.tag)

      fault(path, "has the tag #{node.tag}, and a template has no tags", node.start_line + 1)
    end

    # What an alias stands for, as if it were written there.
    def copy(node, path)
      line = node.start_line + 1
      original = @anchors[node.anchor] or return fault(path, "*#{node.anchor} stands for nothing before it", line)
      return fault(path, "*#{node.anchor} holds itself", line) if @open.any? { |outer| outer.equal?(original) }

      outermost = !@copying
      @copying = true
      build(original, path).tap { @lines[path] = line }
    ensure
      @copying = false if outermost
    end

    def count_copy
      @copies += 1
      too_much("has aliases that stand for more than #{MOST_COPIES} values") if @copies > MOST_COPIES
    end

    def too_much(message, line = 1)
      fault("", message, line)
      throw :too_much
    end

    # Merged mappings come first, so that a mapping's own keys win wherever they stand.
    def mapping(node, path)
      merged, own = node.children.each_slice(2).partition { |key, _| merge?(key) }
      hash = merged.reduce({}) { |found, (_, value)| { **found, **merge(value, path) } }
      met = {}
      own.each do |key, value|
        name = key_of(key, path) or next
        place = path.empty? ? name : "#{path}.#{name}"
        line = key.start_line + 1
        fault(place, "is given twice; the first is in line #{met[name]}", line) if met[name]
        met[name] ||= line
        hash[name] = build(value, place)
        @lines[place] = line
      end
      hash
    end

    def merge?(key)
      key.is_a?(Psych::Nodes::Scalar) && key.value == MERGE && key.style == Psych::Nodes::Scalar::PLAIN
    end

    # Of several the first wins.
    def merge(node, path)
      several = node.is_a?(Psych::Nodes::Sequence)
      found = (several ? node.children.reverse : [node]).map { |part| build(part, path) }
      return found.reduce({}) { |all, part| { **all, **part } } if found.all?(Hash)

      fault(path, "#{MERGE} takes a mapping or a list of them", node.start_line + 1)
      {}
    end

    def key_of(key, path)
      line = key.start_line + 1
      return fault(path, "has a key that is no text", line) unless key.is_a?(Psych::Nodes::Scalar)

      known = faults.size
      name = scalar(key, path)
      return name if name.is_a?(String) || faults.size > known

      fault(path, "has the key #{key.value}, which YAML takes for #{name.inspect}; quote it", line)
    end

    def scalar(node, path)
      return node.value if node.style != Psych::Nodes::Scalar::PLAIN || node.tag

      value = @scanner.tokenize(node.value)
      return value unless value.is_a?(Float) && !value.finite?

      fault(path, "#{node.value} is a number that JSON doesn't have", node.start_line + 1)
    rescue Psych::DisallowedClass
      kind = node.value.start_with?(":") ? "a Symbol" : "a date"
      fault(path, "#{node.value} is #{kind}, which JSON doesn't have; quote it if it is text", node.start_line + 1)
    end

    def fault(path, message, line)
      @faults << [path, message, line]
      nil
    end
  end
end
