#!/bin/sh
# sort of a large file: output equal to the native sort's, also in a quarter of the memory. The
# buffer is set to hold the whole file, or sort would look at the RAM and use temporary files.
. "$(dirname "$0")/lib.sh"
need_root

lines=300000 # about 5 MB, 20 MB in memory; the claim is about 100 MB
buffer=64M
[ -z "${QUIRE_FULL:-}" ] || { lines=5900000 buffer=1G; }
awk -v n="$lines" 'BEGIN { x = 42
    for (i = 0; i < n; i++) {
        x = x * 16807 % 2147483647; printf "%08x%08x\n", x, i * 7919 % 65521 } }' \
    >"$scratch/input"
sort "$scratch/input" >"$scratch/expected"
at_a_quarter sort sort -S "$buffer"
