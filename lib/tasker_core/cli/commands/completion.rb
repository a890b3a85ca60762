# frozen_string_literal: true

module TaskerCore
  module CLI
    # `tasker completion`: a script that has a shell complete commands and options.
    #
    # @api private
    class Completion < Command
      SHELLS = %w[bash zsh fish].freeze
      private_constant :SHELLS

      summary "Prints a script with which a shell completes commands"
      description <<~TEXT

        SHELL is bash, zsh or fish. For bash, in ~/.bashrc: eval "$(tasker completion bash)". For zsh, in ~/.zshrc after
        compinit: eval "$(tasker completion zsh)". For fish: tasker completion fish > ~/.config/fish/completions/tasker.fish
      TEXT
      example "eval \"$(tasker completion bash)\""
      program false

      def call(shell)
        wrong("there is no script for #{shell.inspect}, but for #{SHELLS.join(", ")}") unless SHELLS.include?(shell)
        options[:json] ? terminal.json(known) : terminal.say(send(shell))
      end

      private

      # The options of each command.
      def known
        @known ||= CLI.names.to_h { |name| [name, CLI.command(name).new(terminal).switches.sort] }
      end

      # The options of each command, as cases of a shell.
      def cases(variable)
        known.map { |name, switches| "    #{name}) #{variable}=\"#{switches.join(" ")}\" ;;" }.join("\n")
      end

      def bash
        <<~BASH
          _tasker() {
            local word="${COMP_WORDS[COMP_CWORD]}" words=""
            if [ "$COMP_CWORD" -eq 1 ]; then
              words="#{known.keys.join(" ")} help"
            else
              case "${COMP_WORDS[1]}" in
          #{cases("words")}
              help) words="#{known.keys.join(" ")}" ;;
              esac
            fi
            if [ -z "$words" ] || { [ "$COMP_CWORD" -gt 1 ] && [ "${COMP_WORDS[1]}" != help ] && [ "${word#-}" = "$word" ]; }; then
              COMPREPLY=($(compgen -f -- "$word"))
            else
              COMPREPLY=($(compgen -W "$words" -- "$word"))
            fi
          }
          complete -o filenames -F _tasker tasker
        BASH
      end

      def zsh
        described = known.keys.map { |name| "'#{name}:#{summary_of(name)}'" }.join(" ")
        <<~ZSH
          _tasker() {
            local offered=""
            local -a commands=(#{described} 'help:Tells more about a command')
            if (( CURRENT == 2 )) || [[ "${words[2]}" == help ]]; then
              _describe command commands
              return
            fi
            case "${words[2]}" in
          #{cases("offered")}
            esac
            if [[ "${words[CURRENT]}" == -* ]]; then compadd -- ${=offered}; else _files; fi
          }
          compdef _tasker tasker
        ZSH
      end

      def fish
        lines = known.flat_map do |name, switches|
          ["complete -c tasker -n __fish_use_subcommand -f -a #{name} -d '#{summary_of(name)}'",
           *switches.map do |switch|
             "complete -c tasker -n '__fish_seen_subcommand_from #{name}' #{fish_option(switch)}"
           end]
        end
        lines.join("\n")
      end

      def fish_option(switch)
        switch.start_with?("--") ? "-l #{switch.delete_prefix("--")}" : "-s #{switch.delete_prefix("-")}"
      end

      # In single quotes.
      def summary_of(name) = CLI.command(name).summary.gsub("'", "’").gsub(":", ",")
    end
  end
end
