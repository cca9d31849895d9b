#!/bin/sh
# xz and back: the bytes come back, and the compressed form is what any xz unpacks.
. "$(dirname "$0")/lib.sh"
need_root
command -v xz >/dev/null || skip "no native xz to compare with"

lines=30000 level=-1
[ -z "${QUIRE_FULL:-}" ] || lines=100000 level=-2
awk -v n="$lines" 'BEGIN { x = 7
    for (i = 0; i < n; i++) { x = x * 16807 % 2147483647; print i, x % 1000, "some words", x } }' \
    >"$scratch/expected"
cp "$scratch/expected" "$scratch/input"
at_a_quarter "xz and back" sh -c "xz $level -T1 | xz -d"
"$QUIRE" run --quiet --root "$root" -- xz -6 -T1 <"$scratch/input" >"$scratch/there.xz" ||
    fail "xz: status $?"
xz -dc "$scratch/there.xz" | cmp - "$scratch/expected" || fail "the native xz reads other bytes"
