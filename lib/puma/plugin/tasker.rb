# frozen_string_literal: true

require "puma/plugin"

require "tasker_core/puma_worker"

# `plugin :tasker` in config/puma.rb: a worker in each web process, which begins when that takes requests and drains
# when it ends. In cluster mode that is each of Puma's workers, with `preload_app!` or without, also one by one in a
# phased restart.
Puma::Plugin.create do
  def start(launcher)
    launcher.config.options[:workers].to_i.positive? ? start_cluster(launcher) : start_single(launcher)
  end

  # Puma's workers are forked from a process that runs no steps itself. Newer versions of Puma warn of these hooks where
  # there are no workers: how many there are is known only here, and not where the plugin is named.
  def start_cluster(launcher)
    launcher.config.configure do |_user, dsl|
      newer = dsl.respond_to?(:before_worker_boot)
      dsl.public_send(newer ? :before_worker_boot : :on_worker_boot) { TaskerCore::PumaWorker.start }
      dsl.public_send(newer ? :before_worker_shutdown : :on_worker_shutdown) { TaskerCore::PumaWorker.stop }
    end
  end

  def start_single(launcher)
    events = launcher.events
    booted, stopped = %i[after_booted after_stopped].map { |name| events.respond_to?(name) }
    events.public_send(booted ? :after_booted : :on_booted) { TaskerCore::PumaWorker.start }
    events.public_send(stopped ? :after_stopped : :on_stopped) { TaskerCore::PumaWorker.stop }
    restart = events.respond_to?(:before_restart) ? :before_restart : :on_restart
    events.public_send(restart) { TaskerCore::PumaWorker.stop }
  end
end
