# frozen_string_literal: true

module TaskerCore
  module Testing
    module Expectations
      # That all of a task is done.
      class CompleteTask < OfATask
        # @return [String]
        def description = "be complete"

        private

        def met? = @task.complete?

        def problem
          error = @task.error
          return "it is #{@task.status}" unless error

          "it is #{@task.status}: #{error["step"]} failed with #{error["class"]}: #{error["message"]}"
        end
      end
    end
  end
end
