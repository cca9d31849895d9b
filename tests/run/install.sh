#!/bin/sh
# install.sh: what `make install` leaves: a command that runs, manual pages without a fault,
# programs built against it with pkg-config (shared and static) and with CMake, completion in three
# shells.
. "$(dirname "$0")/lib.sh"
grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=Release$' "$QUIRE_BUILD/CMakeCache.txt" &&
    grep -q '^QUIRE_SANITIZE:STRING=$' "$QUIRE_BUILD/CMakeCache.txt" ||
    skip "only what is released is installed"
cmake --build "$QUIRE_BUILD" --target installed >"$scratch/log" 2>&1 ||
    fail "not built: $(tail "$scratch/log")"
# Moved after it was installed: nothing in it may know where it was.
cmake --install "$QUIRE_BUILD" --prefix "$scratch/first" >"$scratch/log" 2>&1 ||
    fail "not installed: $(tail "$scratch/log")"
prefix="$scratch/moved here"
mv "$scratch/first" "$prefix"
cd "$scratch" || exit 1
for file in bin/quire include/quire/quire.h include/quire/soft.h share/man/man1/quire.1 \
    share/man/man7/quire.7 share/bash-completion/completions/quire \
    share/zsh/site-functions/_quire share/fish/vendor_completions.d/quire.fish; do
    [ -f "$prefix/$file" ] || fail "no $file: $(find "$prefix" | head -n 50)"
done
"$prefix/bin/quire" --version | grep -q '^quire [0-9]' || fail "the command does not run"

# ---- programs of one's own -----------------------------------------------------------------------

sed 's|"machine/soft/soft.h"|<quire/soft.h>|' "$QUIRE_SOURCE/examples/embed.c" >embed.c
pc=$(find "$prefix" -name quire.pc)
library=$(dirname "$(dirname "$pc")")
if command -v pkg-config >/dev/null; then
    PKG_CONFIG_PATH=$(dirname "$pc")
    export PKG_CONFIG_PATH
    [ "quire $(pkg-config --modversion quire)" = "$("$prefix/bin/quire" --version)" ] ||
        fail "pkg-config says $(pkg-config --modversion quire)"
    eval "cc -Wall -Werror embed.c -o shared $(pkg-config --cflags --libs quire)" || fail "shared"
    LD_LIBRARY_PATH=$library ./shared >shared.out || fail "shared: $?: $(cat shared.out)"
    ldd ./shared | grep -q 'libquire.so.0' || fail "not linked with libquire.so.0"
    eval "cc embed.c -o static $(pkg-config --cflags quire)" "'$library/libquire.a'" \
        "$(pkg-config --libs --static quire | sed 's/-lquire//')" || fail "static"
    ./static >static.out || fail "static: $?"
    cmp shared.out static.out || fail "shared and static differ"
    eval "cc '$QUIRE_SOURCE/examples/heap.c' -o heap $(pkg-config --cflags --libs quire)" ||
        fail "heap"
    LD_LIBRARY_PATH=$library ./heap >heap.out || fail "heap: $?: $(cat heap.out)"
    echo "pkg-config: shared and static, $(tail -n 1 static.out)"
fi
nm -D --defined-only "$library/libquire.so" | awk '$2 != "A" { print $3 }' | grep -v '^quire_' &&
    fail "symbols of others in libquire.so"
mkdir user && cat >user/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.13)
project(user C)
find_package(quire 0.1 REQUIRED)
foreach(kind quire static)
  add_executable(with_${kind} ../embed.c)
  target_link_libraries(with_${kind} PRIVATE quire::${kind})
endforeach()
END
cmake -S user -B user/build -DCMAKE_PREFIX_PATH="$prefix" >log 2>&1 &&
    cmake --build user/build >>log 2>&1 || fail "find_package: $(tail log)"
for kind in quire static; do
    user/build/with_$kind >$kind.out || fail "with quire::$kind: $?"
done
cmp quire.out static.out || fail "quire::quire and quire::static differ"
echo "CMake: quire::quire and quire::static"

# ---- manual pages --------------------------------------------------------------------------------

commands=$("$prefix/bin/quire" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
manuals=$(find "$prefix/share/man" -type f)
if command -v mandoc >/dev/null; then
    find "$prefix/share/man" -type f -exec mandoc -T lint -W warning {} + >lint ||
        fail "$(cat lint)"
fi
for command in $commands; do
    [ "$command" != help ] || continue
    options=$("$prefix/bin/quire" help "$command" | sed -n 's/^  \(.*, \)* *--\([a-z-]*\).*/\2/p')
    grep -rqx "[.]Cm $command\|[.]Ss quire .*$command.*" "$prefix/share/man/man1" ||
        fail "no manual has quire $command"
    for option in $options; do
        grep -rqe "Fl .*-$option\b" -e "^[.]Fl .*-$option\b" "$prefix/share/man/man1" ||
            fail "no manual has --$option of quire $command"
    done
done
echo "$(echo "$manuals" | wc -l) manual pages"

# ---- completion ----------------------------------------------------------------------------------

PATH=$prefix/bin:$PATH
export PATH
cat >complete.bash <<'END'
source "$1/share/bash-completion/completions/quire" || exit 1
type compopt >/dev/null
compopt() { :; } # there is no completion in progress
try() { # WANTED NOT-WANTED WORDS...
    local wanted=$1 not=$2
    shift 2
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _quire quire "${@: -1}" "${@: -2:1}"
    case " ${COMPREPLY[*]} " in
    *" $wanted "*) ;;
    *) echo "$*: no $wanted: ${COMPREPLY[*]}"; exit 1 ;;
    esac
    case " ${COMPREPLY[*]} " in *" $not "*) echo "$*: has $not"; exit 1 ;; esac
}
try vmstat run quire v
try run quire quire ''
try top run quire help t
try --ram --root quire run --ra
try --overcommit --watch quire run --
try --watch --ram quire free --
try sieve linux quire run --policy s
try never x quire run --thp ''
try always never quire run --thp al
try rss pid quire ps --sort r
try list quire quire root l
try collapsed.major: x quire run --export coll
try pprof x quire export run.json p
try 20-fork 24-boot quire lab 20
try 55-how-little x quire lab --check 5
try zh x quire lab --lang ''
for command in $(_quire_commands quire); do # all that a command can do
    for option in $(quire help "$command" | sed -n 's/^  \(-., \|    \)\?\(--[a-z-]*\).*/\2/p'); do
        try "$option" x quire "$command" --
    done
done
END
bash complete.bash "$prefix" || fail "bash"
shells=bash
if command -v zsh >/dev/null; then
    # A completion ends in lists for the editor: these are asked for them without one.
    cat >complete.zsh <<'END'
autoload -U compinit && compinit -D -u -d $2/zcompdump || exit 1
source $1/share/zsh/site-functions/_quire || exit 1
[[ $_comps[quire] == _quire ]] || exit 1
_describe() { print -l -- ${(P)2} }
compadd() { if [[ $1 == -a ]]; then print -l -- ${(P)2}; else print -l -- ${@:#--}; fi }
try() { # PATTERN WORDS...
    local pattern=$1
    shift
    words=("$@") CURRENT=$#
    [[ "$(_quire)" == *${~pattern}* ]] || { print "$*: no $pattern: $(_quire)"; exit 1 }
}
try 'vmstat:what' quire v
try '--ram:memory' quire run --ra
try '--thp:2 MiB' quire run --
try '--watch:again' quire free --
try sieve quire run --policy s
try madvise quire run --thp ''
try remove quire root l
try 'collapsed.major' quire run --export coll
try pprof quire export run.json p
try '20-fork:' quire lab 20
for command in ${(f)"$(quire help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')"}; do
    for option in ${(f)"$(quire help $command |
        sed -n 's/^  \(-., \|    \)\{0,1\}\(--[a-z-]*\).*/\2/p')"}; do
        [[ -z $option ]] || try "$option:?" quire $command --
    done
done
END
    zsh -f complete.zsh "$prefix" "$scratch" || fail "zsh"
    shells="$shells zsh"
fi
if command -v fish >/dev/null; then
    HOME=$scratch
    export HOME
    try() { # PATTERN LINE
        fish --no-config -c "source '$prefix/share/fish/vendor_completions.d/quire.fish'
            complete -C '$2'" >fish.out 2>&1
        grep -q "$1" fish.out || fail "fish, '$2': no $1: $(head -n 20 fish.out)"
    }
    try '^vmstat.*what its memory' 'quire v'
    try '^--ram.*memory of' 'quire run --ra'
    try '^--thp.*2 MiB' 'quire run --'
    try '^--watch.*again' 'quire free --'
    try '^sieve' 'quire run --policy s'
    try '^madvise' 'quire run --thp m'
    try '^top' 'quire help t'
    try '^collapsed.major:.*by major' 'quire run --export coll'
    try '^pprof.*go tool' 'quire export run.json p'
    try '^20-fork.*[a-z]' 'quire lab 20'
    for command in $commands; do
        fish --no-config -c "source '$prefix/share/fish/vendor_completions.d/quire.fish'
            complete -C 'quire $command --'" >fish.out 2>&1
        for option in $("$prefix/bin/quire" help "$command" |
            sed -n 's/^  \(-., \|    \)\{0,1\}\(--[a-z-]*\).*/\2/p'); do
            grep -q -e "^$option" fish.out || fail "fish: no $option of $command"
        done
    done
    shells="$shells fish"
fi
echo "completion in $shells"
