#!/bin/sh
# pty_calls.sh: pseudo-terminals do what Linux's do: the host's, natively.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
command -v cc >/dev/null || skip "no cc"
[ "$(uname -s)" = Linux ] || skip "no Linux to compare with"
cd "$scratch" || exit 1
source=$QUIRE_SOURCE/tests/run/pty_calls.c
riscv64-linux-gnu-gcc -w -O1 -D_GNU_SOURCE -static -o program "$source" || fail "does not compile"
cc -w -O1 -D_GNU_SOURCE -o native "$source" || fail "does not compile here"
for try in 1 2 3; do # on a busy host the native one may look too early
    setsid -w timeout 60 ./native >expected </dev/null || skip "no pseudo-terminals here"
    timeout 60 "$QUIRE" run --quiet --ram 32M -- ./program >got 2>got.err </dev/null ||
        fail "status $?: $(tail -n 5 got.err)"
    if diff expected got >differences; then
        echo "$(wc -l <got) answers are those of Linux"
        exit 0
    fi
done
fail "answers differ (<: Linux): $(head -n 40 differences)"
