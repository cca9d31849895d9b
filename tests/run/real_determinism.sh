#!/bin/sh
# real_determinism.sh: every program that talks to no network gives the same trace hash and the same
# summary twice, and the same from a build by the other compiler. QUIRE_FULL=1: all of the list, and
# the other build is made if it is not there; QUIRE_OTHER names one that is.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
: "${QUIRE_BUILD:?the build directory}" "${QUIRE_SOURCE:?the source directory}"
other=${QUIRE_OTHER:-}
compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$QUIRE_BUILD/CMakeCache.txt")
case $compiler in *clang*) their=gcc ;; *) their=clang ;; esac
if [ -z "$other" ] && [ -n "${QUIRE_FULL:-}" ] && command -v $their >/dev/null; then
    other=$scratch/other/quire
    cmake -S "$QUIRE_SOURCE" -B "$scratch/other" -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_C_COMPILER=$their >"$scratch/log" 2>&1 &&
        cmake --build "$scratch/other" --target quire >"$scratch/log" 2>&1 ||
        fail "no build by $their: $(tail -n 5 "$scratch/log")"
fi
ran=0

# Its own directory, new each time, under a name of the same length: what it finds is the same. The
# compiled files that python3 leaves in the tree for the next run are neither read nor written.
once() { # COMMAND WHERE ARGUMENTS...
    command=$1 where=$2
    shift 2
    rm -rf "$scratch/work" && mkdir "$scratch/work"
    env -i PATH=/usr/bin:/bin LC_ALL=C PYTHONDONTWRITEBYTECODE=1 \
        PYTHONPYCACHEPREFIX=/w/none "$command" run --ram 24M --swap 512M --root "$root" \
        --bind "$scratch/work:/w" -- "$@" >"$scratch/output" 2>"$scratch/$where" </dev/null ||
        fail "$what: status $?: $(tail -n 20 "$scratch/$where")"
    same_output || fail "$what: wrong output"
    grep -q '^  trace ' "$scratch/$where" || fail "$what: no trace hash"
}

# Where data differ from run to run, so does what is computed with them; what memory does must not.
same() { # AS WHOM
    if [ $inodes = 1 ]; then
        for which in first "$1"; do
            grep '^  trace \|^  faults' "$scratch/$which" >"$scratch/$which.compared"
        done
    else
        cp "$scratch/first" "$scratch/first.compared"
        cp "$scratch/$1" "$scratch/$1.compared"
    fi
    diff "$scratch/first.compared" "$scratch/$1.compared"
}

expect() { # WHAT OUTPUT COMMAND...
    [ $network = 0 ] || return 0
    what=$1
    printf '%s\n' "$2" >"$scratch/expected"
    shift 2
    once "$QUIRE" first "$@"
    once "$QUIRE" second "$@"
    same second >"$scratch/log" || fail "$what: two runs differ: $(cat "$scratch/log")"
    if [ -n "$other" ]; then
        once "$other" third "$@"
        same third >"$scratch/log" || fail "$what: $their differs: $(cat "$scratch/log")"
    fi
    ran=$((ran + 1))
}

programs
echo "$ran programs: the same twice${other:+, and by $their}"
