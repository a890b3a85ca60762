# frozen_string_literal: true

module TaskerCore
  # The graph of a template, or of a task with the states of its steps, as a picture: an SVG document that needs no
  # script and no style sheet, the languages of Mermaid and Graphviz, lines of text, or coordinates for whoever draws
  # by themselves. The items of a list (`each:`) stand in it as one step, unless they are asked for.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   template = handle.register({ name: "flow", steps: [{ name: "a" }, { name: "b", depends_on: "a" }] },
  #                              handlers: { a: ->(_ctx) {}, b: ->(_ctx) {} })
  #   drawing = TaskerCore::Drawing.of(template)
  #   drawing.text                    # => "●  a\n●  b\n"
  #   drawing.mermaid.lines.first     # => "flowchart TD\n"
  #   drawing.svg.start_with?("<svg") # => true
  class Drawing
    # What {#render} makes.
    FORMATS = %w[ascii dot mermaid svg text].freeze

    class << self
      # @param subject [Task, Template, Class<Workflow>] a task as its steps are now, or a template
      # @param items [Boolean] whether each item of a list is a step of its own
      # @return [Drawing]
      # @raise [ValidationError] when it is something else, or a class whose steps form no graph
      # @raise [DatabaseError] when a task's steps can't be read
      def of(subject, items: false)
        case subject
        when Task then new("#{subject.name} #{subject.id}", subject.steps.map { |step| of_step(step) }, items: items)
        when Template then of_template(subject.name, subject.version, subject.to_h[:steps], items)
        else of_workflow(subject, items)
        end
      end

      private

      def of_step(step)
        note = "attempt #{step.attempts}" if step.attempts > 1 && !step.complete?
        { name: step.name, depends_on: step.depends_on, status: step.status, note: note, item_of: step.item_of }
      end

      def of_template(name, version, steps, items)
        plain = steps.map { |step| { name: step[:name].to_s, depends_on: Array(step[:depends_on]).map(&:to_s) } }
        new("#{name} #{version}", plain, items: items)
      end

      def of_workflow(workflow, items)
        unless workflow.is_a?(Class) && workflow <= Workflow
          raise ValidationError.at("subject", "is what has a graph", expected: "a Task, a Template or a Workflow class",
                                                                     got: Native.shown(workflow))
        end

        of_template(workflow.task_name, workflow.version, workflow.steps, items)
      end
    end

    # @param title [String] what it is called
    # @param steps [Array<Hash{Symbol => Object}>] `name:`, `depends_on:` (an Array of names), `status:` (a
    #   step's, or nil), `note:` (a few words, or nil), `item_of:` (the name of the step with the list, for the step of
    #   one of its items; else nil)
    # @param items [Boolean] whether each item of a list is a step of its own
    def initialize(title, steps, items: false)
      @input = { title: title, steps: steps, items: items }.freeze
      freeze
    end

    # @return [String] an SVG document
    # @raise [ValidationError] when the steps form no graph, here as in the other formats
    def svg = render("svg")

    # @return [String] a flowchart in Mermaid's language, which GitHub and GitLab draw in Markdown
    def mermaid = render("mermaid")

    # @return [String] a digraph in the language of Graphviz
    def dot = render("dot")

    # @return [String] a line for each step, parents before children, with the edges as rails beside them
    def text = render("text")

    # @return [String] {#text} in ASCII characters
    def ascii = render("ascii")

    # @param format [String, Symbol] one of {FORMATS}
    # @return [String]
    # @raise [ValidationError] when there is no such format
    def render(format)
      Native.draw({ **@input, format: format.to_s })
    end

    # Where everything stands, in whole pixels from the upper left corner.
    #
    # @return [Hash{Symbol => Object}] `width`, `height`; `steps`, each with `name, status, note, layer, x, y, width,
    #   height`; `lines`, each with `from`, `to` and `points`, pairs of x and y, one for each row that it passes
    # @example
    #   drawing = TaskerCore::Drawing.new("pair", [{ name: "a" }, { name: "b", depends_on: ["a"] }])
    #   drawing.layout[:steps].map { |step| step[:layer] } # => [0, 1]
    def layout = Native.lay_out(@input)

    # The lines of {#text} with the places of the marks in them.
    #
    # @api private
    # @return [Hash{Symbol => Object}] `has_rails`, `rows`
    def rails(ascii: false) = Native.rails({ **@input, format: ascii ? "ascii" : "text" })

    # @return [String] one short line
    def inspect = "#<TaskerCore::Drawing #{@input[:title]}, steps: #{@input[:steps].size}>"
    alias to_s inspect
  end
end
