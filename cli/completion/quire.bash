# Completion of quire for bash. What there is to complete is asked of quire itself: the words of
# `quire help` and the options of `quire help COMMAND`, so that this file need not follow them.

_quire_commands() {
    "$1" help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  *[^ ].*/\1/p' | grep -v '^quire$'
}

# The long options of a command.
_quire_options() {
    "$1" help "$2" 2>/dev/null | grep -o -- '--[a-z][a-z-]*' | sort -u
}

# What may follow an option that takes one of several words, as in --thp always|madvise|never.
_quire_words() {
    "$1" help "$2" 2>/dev/null | sed -n "s/^ .*$3 \([a-z0-9]*|[a-z0-9|]*\).*/\1/p" | tr '|' '\n'
}

_quire_policies() {
    "$1" help run 2>/dev/null | sed -n '/^Policies:/,/^$/s/^  \([a-z0-9]*\) .*/\1/p'
}

_quire_formats() {
    "$1" help export 2>/dev/null | sed -n '/^Formats:/,/^$/s/^  \([a-z.]*\) .*/\1/p'
}

_quire_labs() {
    "$1" lab --list 2>/dev/null | sed 's/ .*//'
}

_quire_runs() {
    "$1" list 2>/dev/null | sed -n 's/^ *\([0-9][0-9]*\) .*/\1/p'
}

_quire() {
    local quire=$1 word=$2 before=$3 command=${COMP_WORDS[1]} i
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "$(_quire_commands "$quire") --help --version" -- "$word"))
        return
    fi
    case $command in
    run | sweep)
        # After the program all words are the program's.
        for ((i = 2; i < COMP_CWORD; i++)); do
            if [ "${COMP_WORDS[i]}" = -- ]; then
                _command_offset_or_files "$((i + 1))"
                return
            fi
        done
        ;;
    esac
    case $before in
    --policy) COMPREPLY=($(compgen -W "$(_quire_policies "$quire")" -- "$word")) ;;
    --export)
        compopt -o nospace
        COMPREPLY=($(compgen -S : -W "$(_quire_formats "$quire")" -- "$word"))
        ;;
    --run) COMPREPLY=($(compgen -W "$(_quire_runs "$quire")" -- "$word")) ;;
    --root) compopt -o filenames && COMPREPLY=($(compgen -d -- "$word")) ;;
    --bind) compopt -o filenames -o nospace && COMPREPLY=($(compgen -d -- "$word")) ;;
    --thp | --clock | --sort | --overcommit | --oom | --lang)
        COMPREPLY=($(compgen -W "$(_quire_words "$quire" "$command" "$before")" -- "$word"))
        ;;
    *)
        case $command:$word in
        help:*) COMPREPLY=($(compgen -W "$(_quire_commands "$quire")" -- "$word")) ;;
        *:-*) COMPREPLY=($(compgen -W "$(_quire_options "$quire" "$command")" -- "$word")) ;;
        export:*)
            if [ "$COMP_CWORD" -eq 2 ]; then
                compopt -o filenames && COMPREPLY=($(compgen -f -- "$word"))
            else
                COMPREPLY=($(compgen -W "$(_quire_formats "$quire")" -- "$word"))
            fi
            ;;
        lab:*)
            compopt -o filenames
            COMPREPLY=($(compgen -W "$(_quire_labs "$quire")" -- "$word") $(compgen -f -- "$word"))
            ;;
        proc:*) COMPREPLY=($(compgen -W "quire $("$quire" proc . 2>/dev/null)" -- "$word")) ;;
        maps:*)
            COMPREPLY=($(compgen -W "$("$quire" proc . 2>/dev/null | grep '^[0-9]')" -- "$word"))
            ;;
        root:*)
            if [ "$COMP_CWORD" -eq 2 ]; then
                COMPREPLY=($(compgen -W 'create add list remove' -- "$word"))
            else
                compopt -o filenames && COMPREPLY=($(compgen -d -- "$word"))
            fi
            ;;
        *) compopt -o filenames && COMPREPLY=($(compgen -f -- "$word")) ;;
        esac
        ;;
    esac
}

# The program and its arguments: its own completion where bash-completion is there.
_command_offset_or_files() {
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    else
        compopt -o filenames && COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
    fi
}

complete -F _quire quire
