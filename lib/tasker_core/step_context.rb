# frozen_string_literal: true

module TaskerCore
  # What a handler sees of the step that it does.
  #
  # @example
  #   class Ship < TaskerCore::Workflow
  #     step(:pack) { |ctx| { "parcel" => ctx.context["order_id"] } }
  #     step(:send, depends_on: :pack) { |ctx| ctx.result(:pack)["parcel"] }
  #   end
  class StepContext
    # @return [Logger] the configured one
    attr_reader :logger

    # @api private
    def initialize(assignment, native_worker, logger)
      @assignment = assignment
      @native_worker = native_worker
      @logger = logger
    end

    # @return [String]
    def task_id = @assignment.task_id

    # @return [String] `task id/step name`
    def step_id = "#{task_id}/#{step_name}"

    # @return [String] of a step that is done for an item of a list, with the place: `parcel[3]`
    def step_name = @assignment.step_name

    # @return [String]
    def namespace = @assignment.namespace

    # @return [String]
    def task_name = @assignment.task_name

    # @return [String] the template's version
    def version = @assignment.version

    # @return [Hash{String => Object}] the task's input, deeply frozen
    def context
      @context ||= @assignment.context
    end

    # What the task was created with beside its context: the option `headers` of {OrchestrationHandle#create_task}, and
    # what {Configuration#task_headers} added.
    #
    # @return [Hash{String => Object}] deeply frozen; empty where there is nothing
    # @example
    #   class Mail < TaskerCore::Workflow
    #     step(:send) { |ctx| ctx.headers["locale"] }
    #   end
    #
    #   handle = TaskerCore.open("sqlite::memory:")
    #   task = handle.create_task(Mail, headers: { locale: "de" })
    #   handle.work(until: :idle)
    #   task.reload.step(:send).result # => "de"
    def headers
      @headers ||= @assignment.headers || {}.freeze
    end

    # The result of a step that this one depends on.
    #
    # @param name [String, Symbol]
    # @return [Object, nil] deeply frozen; nil when the step was skipped
    # @raise [ValidationError] when this step does not depend on it; the message names the nearest
    def result(name)
      @assignment.result(name.to_s)
    end

    # @return [Hash{String => Object}] the results of all steps that this one depends on, by name
    def results = @assignment.results

    # The item of the list for which this step is done (`each:`).
    #
    # @return [Object, nil] deeply frozen; nil in a step that is done once
    # @example
    #   class Shipment < TaskerCore::Workflow
    #     step(:split) { |ctx| ctx.context["goods"].each_slice(2).to_a }
    #     step(:parcel, depends_on: :split, each: "split") { |ctx| "#{ctx.item_index + 1}: #{ctx.item.join(" and ")}" }
    #     step(:send, depends_on: :parcel) { |ctx| ctx.result(:parcel) } # the results in the order of the items
    #   end
    def item
      @item ||= @assignment.item
    end

    # @return [Integer, nil] the place of {#item} in its list; the first is 0
    def item_index = @assignment.item_index

    # @return [Hash{String => Object}] what the template says to this step, deeply frozen
    def config
      @config ||= @assignment.config
    end

    # @return [Integer] the number of this attempt; the first is 1
    def attempt = @assignment.attempt

    # @return [Integer] how many attempts the step has
    def retry_limit = @assignment.retry_limit

    # @return [Boolean] whether the step is in error when this attempt fails
    def last_attempt? = attempt >= retry_limit

    # @return [Float] how many seconds one attempt of this step may take; {#heartbeat} starts them anew
    def timeout = @assignment.timeout

    # @return [String] the same for every attempt of this step, and different for every other step and when the step
    #   is run again by {TaskOperations#restart_from}: for services that do a thing once for a key
    def idempotency_key
      [task_id, @assignment.index, *(@assignment.run if @assignment.run > 1)].join("/")
    end

    # Whether the step was taken from this handler: its task was cancelled, the step was moved by hand (by whichever
    # process: a worker hears of that within a second), or its worker gave it up or lost its claim. What the handler
    # returns then is not recorded. It costs no look at the database: a handler that takes long may ask as often
    # as it likes, and ask {#expired?} too, which is another matter.
    #
    # @return [Boolean] true, too, once the handler has returned
    # @example
    #   class Export < TaskerCore::StepHandler
    #     def call(ctx)
    #       ctx.context["rows"].each do |row|
    #         return if ctx.cancelled? || ctx.expired?
    #
    #         puts row
    #       end
    #     end
    #   end
    def cancelled? = @native_worker.taken_away?(@assignment.number)

    # Whether the time of this attempt is over: it counts as failed, and what the handler returns is not recorded. The
    # handler itself goes on, unless its step says `interrupt: true`: see {Interrupted}.
    #
    # @return [Boolean]
    def expired? = @native_worker.expired?(@assignment.number)

    # @return [Boolean] whether the worker is being stopped: a long handler may want to come to an end
    def stopping? = !@native_worker.working?

    # What was saved last with {#checkpoint=}, by this attempt or by an earlier one of the same step: one that failed,
    # ran out of time, was given back or whose process died.
    #
    # @return [Object, nil] deeply frozen; nil before the first. It is converted when it is read, each time
    def checkpoint = @assignment.checkpoint

    # Saves how far the handler has come, for the step's next attempt. When this returns, it survives a crash of the
    # process. Those that many handlers save at once are written by few commits; still, each waits for one.
    #
    # A step that was taken from its handler keeps what it had: {#cancelled?} or {#expired?} tells. A checkpoint stays
    # when the step has ended: {Step#checkpoint}.
    #
    # @param value [Object, nil] a JSON value, as large as a result may be
    # @return [Object] the value as given
    # @raise [ValidationError] when it is no JSON value, or too large
    # @raise [DatabaseError] when the database fails; what was saved before is still there
    # @example
    #   class Import < TaskerCore::StepHandler
    #     def call(ctx)
    #       rows = ctx.context["rows"]
    #       (ctx.checkpoint || 0).upto(rows.size - 1) do |line|
    #         puts rows[line]
    #         ctx.checkpoint = line + 1
    #       end
    #     end
    #   end
    def checkpoint=(value)
      Waiting.await(@native_worker.checkpoint(@assignment, value))
    end

    # Chooses what comes next, in a step that declares `branches:`. The branches that are not chosen when the handler
    # returns are skipped, and so is what comes after nothing but skipped ones; a step that needs several branches
    # waits for those that were chosen. Calls add up; each attempt begins with none. A handler that returns without
    # choosing has failed for good.
    #
    # @param branches [Array<String, Symbol, Array>] one or several of the step's branches
    # @return [Array<String>] all that were chosen so far
    # @raise [ValidationError] when the step has no such branch (the message names the nearest), or none is given
    # @example
    #   class Review < TaskerCore::Workflow
    #     step(:check, branches: %i[approve reject]) do |ctx|
    #       ctx.route(ctx.context["amount"] > 100 ? :reject : :approve)
    #     end
    #     step(:approve, depends_on: :check) { "approved" }
    #     step(:reject, depends_on: :check) { "rejected" }
    #     step(:tell, depends_on: %i[approve reject]) { |ctx| ctx.result(:approve) || ctx.result(:reject) }
    #   end
    def route(*branches)
      branches = branches.flatten
      raise ValidationError.at("route", "takes one or several of the step's branches") if branches.empty?

      branches.each { |branch| @assignment.choose(name_of_branch(branch)) }
      routed
    end

    # @return [Array<String>] the branches that this attempt has chosen so far ({#route})
    def routed = @assignment.route

    # Starts the step's timeout anew. A handler that takes long calls it now and then.
    #
    # @return [Boolean] false when the time is over already
    def heartbeat = @native_worker.heartbeat(@assignment.number)

    # @return [String] one short line
    def inspect
      "#<TaskerCore::StepContext #{step_id}, attempt #{attempt} of #{retry_limit}>"
    end

    private

    def name_of_branch(branch)
      case branch
      when String, Symbol then branch.to_s
      else raise ValidationError.at("route", "takes the names of branches", expected: "a String or a Symbol",
                                                                            got: Native.shown(branch))
      end
    end
  end
end
