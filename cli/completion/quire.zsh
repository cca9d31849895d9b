#compdef quire
# Completion of quire for zsh. Commands and options are asked of quire itself (`quire help`), so
# that this file need not follow them.

_quire_commands() {
    local -a commands
    commands=(${(f)"$($1 help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  *\([^ ].*\)/\1:\2/p' |
        grep -v '^quire:')"})
    _describe command commands
}

# "--name VALUE  what it is" and "-l, --name  what it is" as name:what.
_quire_options() {
    local -a options
    options=(${(f)"$($1 help $2 2>/dev/null |
        sed -n 's/^  \(    \|-[a-zA-Z], \)\{0,1\}\(--[a-z][a-z-]*\)[^ ]*\( [^ ]\{1,\}\)\{0,1\}  *\(.*\)/\2:\4/p')"})
    _describe option options
}

_quire_formats() {
    $1 help export 2>/dev/null | sed -n '/^Formats:/,/^$/s/^  \([a-z.]*\) .*/\1/p'
}

# By name, with their titles; else files: scripts.
_quire_labs() {
    local -a labs
    labs=(${(f)"$($1 lab --list 2>/dev/null | sed 's/^\([^ ]*\) *\([A-Z][0-9]* \)* */\1:/')"})
    _describe lab labs || _files
}

_quire_words() {
    local -a words_of
    words_of=(${(f)"$($1 help $2 2>/dev/null | sed -n "s/^ .*$3 \([a-z0-9]*|[a-z0-9|]*\).*/\1/p" |
        tr '|' '\n')"})
    compadd -a words_of
}

_quire() {
    local quire=$words[1] command=$words[2] before=$words[CURRENT-1] i
    if ((CURRENT == 2)); then
        _quire_commands $quire
        return
    fi
    for ((i = 3; i < CURRENT; i++)); do
        if [[ $words[i] == -- ]]; then
            shift $i words
            ((CURRENT -= i))
            _normal
            return
        fi
    done
    case $before in
    --policy) compadd -- ${(f)"$($quire help run 2>/dev/null |
        sed -n '/^Policies:/,/^$/s/^  \([a-z0-9]*\) .*/\1/p')"} ;;
    --export) compadd -S : -- $(_quire_formats $quire) ;;
    --run) compadd -- ${(f)"$($quire list 2>/dev/null | sed -n 's/^ *\([0-9][0-9]*\) .*/\1/p')"} ;;
    --root | --bind) _path_files -/ ;;
    --thp | --clock | --sort | --overcommit | --oom | --lang) _quire_words $quire $command $before ;;
    *)
        case $command:$words[CURRENT] in
        help:*) _quire_commands $quire ;;
        *:-*) _quire_options $quire $command ;;
        export:*) if ((CURRENT == 3)); then _files; else compadd -- $(_quire_formats $quire); fi ;;
        lab:*) _quire_labs $quire ;;
        proc:*) compadd -- quire ${(f)"$($quire proc . 2>/dev/null)"} ;;
        root:*) if ((CURRENT == 3)); then compadd create add list remove; else _path_files -/; fi ;;
        *) _files ;;
        esac
        ;;
    esac
}

if [[ $funcstack[1] == _quire ]]; then
    _quire "$@"
else
    compdef _quire quire
fi
