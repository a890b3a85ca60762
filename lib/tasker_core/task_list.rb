# frozen_string_literal: true

module TaskerCore
  # The tasks that match a filter, newest first. They are read page by page while they are walked through, so a
  # list of any length costs little memory. See {OrchestrationHandle#tasks}.
  #
  # @example
  #   handle = TaskerCore.open("sqlite::memory:")
  #   handle.tasks(status: :error).count                          # => 0
  #   handle.tasks(namespace: "orders").lazy.map(&:id).first(10) # => []
  #   handle.tasks(created_after: Time.now - 3600, tag: "import").count # => 0
  class TaskList
    include Enumerable

    PAGE = 100
    private_constant :PAGE

    # @api private
    def initialize(native, filter)
      Native.check_filter(filter)
      @native = native
      @filter = filter.except(:limit, :before)
      @limit = filter[:limit]
      @before = filter[:before]
      Waiting.await(native.check_search(@filter)) if filter[:context]
    end

    # @yieldparam task [Task]
    # @return [self, Enumerator<Task>] an Enumerator without a block
    def each(&block)
      return enum_for(:each) unless block

      before = @before
      left = @limit || Float::INFINITY
      while left.positive?
        size = [left, PAGE].min
        page = page(before, size)
        page.each(&block)
        break if page.size < size

        left -= size
        before = page.last.id
      end
      self
    end

    # How many match; without an argument or block the database counts.
    #
    # @param arguments [Array<Object>] as for Enumerable: one task at the most
    # @yieldparam task [Task]
    # @return [Integer]
    def count(*arguments, &block)
      return super if block || !arguments.empty? || @limit || @before

      Waiting.await(@native.count(@filter))
    end
    alias size count
    alias length count

    # @param number [Integer, nil]
    # @return [Task, nil, Array<Task>] the newest, or an Array of that many
    def first(number = nil)
      number ? super : page(@before, 1).first
    end

    # @return [Boolean]
    def empty?
      first.nil?
    end

    # @return [String] one short line
    def inspect
      "#<TaskerCore::TaskList #{Filter.current.list(@filter)}>"
    end

    private

    def page(before, size)
      Waiting.await(@native.tasks({ **@filter, before: before, limit: size }))
    end
  end
end
