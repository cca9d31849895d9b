# Completion of quire for fish. Commands and options are asked of quire itself (`quire help`), so
# that this file need not follow them.

function __quire_commands
    quire help 2>/dev/null | string replace -rf '^  ([a-z]+) +(\S.*)' '$1\t$2' |
        string match -v -r '^quire\t'
end

function __quire_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; and echo $words[2]
end

function __quire_needs_command
    test (count (commandline -opc)) -eq 1
end

# Options, and after one that takes a word of several, those.
function __quire_options
    set -l command (__quire_command)
    set -l words (commandline -opc)
    contains -- -- $words; and return
    quire help $command 2>/dev/null |
        string replace -rf '^  (?:    |-[a-zA-Z], )?(--[a-z][a-z-]*)\S*(?: \S+)? +(.*)' '$1\t$2'
end

function __quire_values
    set -l words (commandline -opc)
    switch $words[-1]
        case --policy
            quire help run | string replace -rf '^  ([a-z0-9]+) {4,}(\S.*)' '$1\t$2'
        case --export
            quire help export | string replace -rf '^  ([a-z.]+) {2,}(\S.*)' '$1:\t$2'
        case --run
            quire list 2>/dev/null | string replace -rf '^ *(\d+) +(.*)' '$1\t$2'
        case --thp --clock --sort --overcommit --oom --lang
            quire help (__quire_command) |
                string replace -rf "^ .*$words[-1] ([a-z0-9]*\|[a-z0-9|]*).*" '$1' | string split '|'
    end
end

function __quire_is
    test "$(__quire_command)" = $argv[1]
end

complete -c quire -n __quire_needs_command -f -a '(__quire_commands)'
complete -c quire -n 'not __quire_needs_command' -a '(__quire_options)'
complete -c quire -n 'not __quire_needs_command' -a '(__quire_values)'
complete -c quire -n '__quire_is help' -f -a '(__quire_commands)'
complete -c quire -n '__quire_is root' -a 'create add list remove'
complete -c quire -n '__quire_is export' -a "(quire help export 2>/dev/null |
    string replace -rf '^  ([a-z.]+) {2,}(\S.*)' '\$1\t\$2')"
complete -c quire -n '__quire_is proc' -f -a 'quire (quire proc . 2>/dev/null)'
complete -c quire -n '__quire_is lab' -a "(quire lab --list 2>/dev/null |
    string replace -r '^(\S+) +(?:[A-Z][0-9]* )* *' '\$1\t')"
