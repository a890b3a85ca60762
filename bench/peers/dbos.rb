# frozen_string_literal: true

require "json"
require_relative "peer"

module Bench
  module Peers
    # DBOS for Python from PyPI in a virtual environment, on the same PostgreSQL server: 8 threads that run workflows of
    # four steps.
    class DBOS < Peer
      STEPS = "DBOS, steps"

      # @param fresh [Proc] the URL of a new PostgreSQL database
      def initialize(size, fresh)
        super(size)
        @fresh = fresh
        once("installed") do
          output("python3", "-m", "venv", "environment")
          output(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "dbos")
          FileUtils.touch(File.join(folder, "installed"))
        end
      end

      def title
        version = output(python, "-c", "import importlib.metadata as m; print(m.version('dbos'))").strip
        "DBOS #{version}, #{output(python, "--version").strip}, PostgreSQL, 8 threads"
      end

      def round
        url = @fresh.call.sub("postgres:", "postgresql:")
        said = JSON.parse(run(python, source("diamonds.py"), url, @size.to_s).lines.last)
        same!("calls of steps", @size * 4, said.fetch("calls"))
        same!("workflows ended well", @size, ask(url, "dbos.workflow_status WHERE status = 'SUCCESS'"))
        same!("steps stored", @size * 4, ask(url, "dbos.operation_outputs"))
        { STEPS => @size * 4 / said.fetch("seconds") }
      end

      private

      def python = File.join(folder, "environment/bin/python")
      def ask(url, what) = Bench.psql(url, "SELECT count(*) FROM #{what}").to_i
    end
  end
end
