# frozen_string_literal: true

require "tasker_core"
require "tasker_core/rails/naming"

module Tasker
  module Generators
    # `rails generate tasker:step Order refund:charge`: the class of one more step, its test, and its line in the
    # workflow.
    class StepGenerator < ::Rails::Generators::NamedBase
      include TaskerCore::RailsApp::Naming

      source_root ::File.expand_path("templates", __dir__)
      desc "The class of one more step, its test, and its line in the workflow"
      argument :step, type: :string, banner: "step:parent,parent"
      class_option :line, type: :boolean, default: true, desc: "Add its line to the workflow"

      # @return [void]
      def check_step_and_workflow
        @step, parents = step.underscore.split(":", 2)
        @parents = parents.to_s.split(",")
        check_step(@step, {})
        return unless options[:line]

        raise ::Thor::Error, "there is no #{workflow_file}: generate tasker:workflow #{name} #{@step}" unless workflow
        raise ::Thor::Error, "#{workflow_file} has a step #{@step} already" if known_steps.include?(@step)

        check_known_parents
      end

      # @return [void]
      def create_step
        template "step.rb.tt", step_file(@step)
        test, file = test_of(step_file(@step), "step")
        @setup = test_setup(file)
        template test, file
      end

      # @return [void]
      def add_line
        return unless options[:line]

        insert_into_file workflow_file, step_line(@step, @parents), before: /^end\s*\z/
      end

      private

      def workflow
        path = ::File.join(destination_root, workflow_file)
        @workflow ||= (::File.read(path) if ::File.exist?(path))
      end

      def known_steps = workflow.scan(/^\s*step[( ]+:(\w+)/).flatten

      def check_known_parents
        lost = @parents - known_steps
        return if lost.empty?

        hint = TaskerCore::Nearest.hint(lost.first, known_steps)
        raise ::Thor::Error, "#{workflow_file} has no step #{lost.first}#{hint}"
      end
    end
  end
end
