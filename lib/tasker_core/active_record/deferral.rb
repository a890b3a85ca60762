# frozen_string_literal: true

module TaskerCore
  # Tasks of one call that were checked, and wait to be created.
  #
  # @api private
  class Deferral
    # @return [Array<DeferredTask>]
    attr_reader :tasks
    # @return [Native::Prepared]
    attr_reader :prepared
    attr_reader :handle

    # @raise [ValidationError, NotFoundError] what the call is to raise at once
    def initialize(handle, template, options)
      @handle = handle
      @template = template
      @options = options
      @prepared = handle.prepare(template, options)
      @tasks = @prepared.views(handle.native).map { |planned| DeferredTask.new(handle, planned) }
    end

    # What they waited for is over.
    def over(committed, may_raise)
      committed ? create(may_raise) : dropped
    end

    def dropped = tasks.each(&:dropped)

    # @return [String] the ids, for people
    def to_s = tasks.map(&:id).join(", ")

    private

    # A failure is the caller's to hear of: the transaction is committed, and there is no task. Where that would leave
    # out others' callbacks, it is reported.
    def create(may_raise)
      made = @handle.create_prepared(@prepared, @template, @options)
      tasks.zip(made) { |task, id| task.created(id) }
    rescue Error => e
      tasks.each(&:failed)
      raise if may_raise

      reporter = Reporter.current
      reporter.log(Logger::ERROR) { "not created after a commit: #{self}: #{e.message}" }
      reporter.told(e, nil)
    end
  end
end
