# frozen_string_literal: true

require_relative "../tasks"

module TaskerCore
  module CLI
    # `tasker graph`: a task's or a template's graph as a picture.
    #
    # @api private
    class Graph < Command
      include Tasks

      summary "Draws the graph of a task or a template"
      description <<~TEXT

        ID_OR_TEMPLATE is a task's id, or the start of it, or a template: of the program (-r), which needs no database,
        or of the database.
      TEXT
      example "tasker graph orders/fulfil_order -r app.rb --format svg --output order.svg"
      example "tasker graph 0197c8a1-6f2e --format mermaid"

      def declare(parser)
        parser.on("-f", "--format FORMAT", "text (default), ascii, mermaid, svg or dot") do |name|
          options[:format] = name
        end
        parser.on("-o", "--output FILE", "writes it there") { |path| options[:output] = path }
        parser.on("--items", "every item of a list is a step of its own") { options[:items] = true }
        parser.on("--namespace NAME", "the template's (default: default)") { |name| options[:namespace] = name }
        parser.on("--version VERSION", "the template's (default: the highest)") { |text| options[:version] = text }
      end

      def call(id_or_template)
        load_program
        drawing = Drawing.of(subject(id_or_template), items: options[:items])
        text = options[:json] ? "#{JSON.generate(drawing.layout)}\n" : drawing.render(format)
        options[:output] ? File.write(options[:output], text) : terminal.out.print(text)
        0
      rescue SystemCallError => e
        raise Failed, "--output: #{e.message}"
      end

      private

      def format
        given = options.fetch(:format, "text")
        return given if Drawing::FORMATS.include?(given)

        wrong("--format: there is no #{given.inspect}#{Nearest.hint(given, Drawing::FORMATS)}")
      end

      def subject(word)
        format
        Tasks.id?(word) ? find(word) : template(word)
      end

      def template(word)
        namespace, name = named(word)
        namespace ||= options.fetch(:namespace, "default")
        workflow(name, namespace) || existing_handle.template(name, namespace: namespace, version: options[:version])
      end

      # One of the program's own, with which no database is needed.
      def workflow(name, namespace)
        Program.workflows.reverse.find do |found|
          found.task_name == name && found.namespace == namespace && [nil, found.version].include?(options[:version])
        end
      end
    end
  end
end
