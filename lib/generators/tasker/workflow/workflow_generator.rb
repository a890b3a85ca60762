# frozen_string_literal: true

require "tasker_core"
require "tasker_core/rails/naming"

module Tasker
  module Generators
    # `rails generate tasker:workflow Order validate charge ship`: a workflow, the classes of its steps, and their
    # tests.
    class WorkflowGenerator < ::Rails::Generators::NamedBase
      include TaskerCore::RailsApp::Naming

      source_root ::File.expand_path("templates", __dir__)
      desc "A workflow, the classes of its steps, and their tests"
      argument :steps, type: :array, default: [], banner: "step step:parent,parent"

      # @return [void]
      def check_steps
        raise ::Thor::Error, "name its steps: generate tasker:workflow #{name} validate charge ship" if steps.empty?

        @parents = parse_steps(steps)
      end

      # @return [void]
      def create_workflow
        template "workflow.rb.tt", workflow_file
        @test, file = test_of(workflow_file, "workflow")
        @setup = test_setup(file)
        template @test, file
      end

      # @return [void]
      def create_steps
        @parents.each do |step, parents|
          invoke "tasker:step", [[*class_path, plain_name].join("/"), "#{step}:#{parents.join(",")}"],
                 line: false, **options.symbolize_keys.slice(:force, :skip, :pretend, :quiet)
          # Thor invokes each only once.
          @_invocations.clear
        end
      end
    end
  end
end
