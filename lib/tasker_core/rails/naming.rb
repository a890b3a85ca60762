# frozen_string_literal: true

require "rails/generators"

module TaskerCore
  module RailsApp
    # What a workflow that is generated is called, and its steps, their files and their specs: `Shop::Order` is the
    # class `Shop::OrderWorkflow`, the template `shop/order`, and the steps `Shop::OrderSteps::…`.
    #
    # @api private
    module Naming
      STEP = /\A[a-z][a-z0-9_]*\z/

      private

      # `order`, of Order, OrderWorkflow, order and order_workflow.
      def plain_name = file_name.delete_suffix("_workflow")

      def workflow_class = qualified("#{plain_name.camelize}Workflow")
      def steps_module = qualified("#{plain_name.camelize}Steps")
      def workflow_file = in_folders("#{plain_name}_workflow.rb", "app/workflows")
      def step_file(step) = in_folders("#{plain_name}_steps/#{step}.rb", "app/steps")
      def step_class(step) = "#{steps_module}::#{step.camelize}"
      def template_namespace = class_path.empty? ? nil : class_path.join("_")

      def qualified(name) = [*class_path.map(&:camelize), name].join("::")
      def in_folders(file, root) = ::File.join(root, *class_path, file)

      # RSpec where the app has specs, Minitest otherwise.
      def rspec?
        ::File.directory?(::File.join(destination_root, "spec")) ||
          ::Rails.application.config.generators.options.dig(:rails, :test_framework) == :rspec
      end

      # @return [Array(String, String)] the template and the file that tests what is in a file
      def test_of(file, template)
        path = file.delete_prefix("app/").delete_suffix(".rb")
        rspec? ? ["#{template}_spec.rb.tt", "spec/#{path}_spec.rb"] : ["#{template}_test.rb.tt", "test/#{path}_test.rb"]
      end

      # What a spec begins with: it needs the app, whose place in the folders may be any.
      def test_setup(file)
        helper = rspec? ? "rails_helper" : "test_helper"
        return "require \"#{helper}\"" if ::File.exist?(::File.join(destination_root, file[/\A\w+/], "#{helper}.rb"))

        up = "../" * file.count("/")
        environment = "ENV[\"RAILS_ENV\"] ||= \"test\"\nrequire_relative \"#{up}config/environment\""
        rspec? ? environment : "#{environment}\nrequire \"rails/test_help\""
      end

      # `{ "ship" => ["reserve", "charge"] }` of `ship:reserve,charge`; a step that names no parents follows the one
      # before it.
      def parse_steps(words, before = nil)
        words.each_with_object({}) do |word, steps|
          name, parents = word.underscore.split(":", 2)
          check_step(name, steps)
          steps[name] = parents ? parents.split(",") : [before].compact
          check_parents(name, steps)
          before = name
        end
      end

      def check_step(name, steps)
        raise ::Thor::Error, "a step's name is letters, digits and _, not #{name.inspect}" unless STEP.match?(name.to_s)
        raise ::Thor::Error, "the step #{name} is given twice" if steps.key?(name)
      end

      def check_parents(name, steps)
        others = steps.keys - [name]
        lost = (steps[name] - others).first or return

        raise ::Thor::Error, "#{name} depends on #{lost}, which is no step before it#{Nearest.hint(lost, others)}"
      end

      # The line of a workflow that says what a step is.
      def step_line(name, parents)
        depends = case parents.size
                  when 0 then ""
                  when 1 then ", depends_on: :#{parents.first}"
                  else ", depends_on: %i[#{parents.join(" ")}]"
                  end
        "  step :#{name}, #{step_class(name)}#{depends}\n"
      end
    end
  end
end
