#!/bin/sh
# Huge pages under real programs: sort and python3 with --thp never and always give the same output,
# and with always fewer faults and TLB misses. In little memory too: there they must only be right.
. "$(dirname "$0")/lib.sh"
need_root

# run LOG ARGUMENTS...: standard input from $scratch/input, output to $scratch/output.
run() {
    log=$scratch/$1
    shift
    "$QUIRE" run --root "$root" --bind "$scratch:/scratch" "$@" \
        <"$scratch/input" >"$scratch/output" 2>"$log" || fail "$*: status $?: $(tail -n 3 "$log")"
    same_output || fail "$*: wrong output"
}

# The figures of a summary: minor faults; TLB misses in thousandths of a percent.
faults() { sed -n 's/^  faults *\([0-9,]*\) minor.*/\1/p' "$1" | tr -d ,; }
misses() { sed -n 's/.*TLB missed \([0-9.]*\) %.*/\1/p' "$1" | tr -d . | sed 's/^0*//'; }

# compare NAME COMMAND...: the claims.
compare() {
    name=$1
    shift
    run never --ram 256M --thp never -- "$@"
    run madvise --ram 256M -- "$@"
    run always --ram 256M --thp always -- "$@"
    run small --ram 12M --swap 1G --thp always -- "$@"
    grep -q '2 MiB' "$scratch/never" && fail "$name: huge pages with --thp never"
    # Nobody asked by madvise: the default is the same run, to the last decision.
    [ "$(grep trace "$scratch/never")" = "$(grep trace "$scratch/madvise")" ] ||
        fail "$name: --thp madvise changed a run that does not ask for huge pages"
    before=$(faults "$scratch/never") after=$(faults "$scratch/always")
    [ "$after" -lt "$before" ] || fail "$name: $after faults with huge pages, $before without"
    walks=$(misses "$scratch/never") left=$(misses "$scratch/always")
    [ "$left" -lt "$walks" ] || fail "$name: TLB missed $left of 100000 accesses, not $walks"
    echo "$name: $before faults without, $after with huge pages;" \
        "TLB missed $walks and $left of 100000 accesses"
}

awk 'BEGIN { x = 42
    for (i = 0; i < 200000; i++) { x = x * 16807 % 2147483647; printf "%08x\n", x } }' \
    >"$scratch/input"
sort "$scratch/input" >"$scratch/expected"
compare sort sort -S 32M

cat >"$scratch/words.py" <<'END'
import random
random.seed(3)
d = {random.getrandbits(40): i for i in range(60000)}
print(len(d), sum(d[k] for k in sorted(d)[::3]))
END
echo "60000 599180108" >"$scratch/expected"
compare python3 python3 /scratch/words.py

# What the program reads of the mode.
for mode in always madvise never; do
    "$QUIRE" run --quiet --thp $mode --root "$root" -- \
        cat /sys/kernel/mm/transparent_hugepage/enabled >"$scratch/enabled"
    grep -q "\[$mode\]" "$scratch/enabled" || fail "--thp $mode reads $(cat "$scratch/enabled")"
done
