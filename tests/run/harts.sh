#!/bin/sh
# Several harts: a program with threads gives the same as on one and as natively, each run is the
# same each time, tasks are spread, affinity holds, and the virtual clock runs as if harts worked at
# the same time.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
cross=riscv64-linux-gnu-gcc
command -v $cross >/dev/null || skip "no $cross"

for program in harts threads; do
    $cross -O1 -D_GNU_SOURCE -static "$here/proc_$program.c" -o "$scratch/$program" -pthread ||
        fail "proc_$program.c does not compile"
done
trace() { sed -n 's/^ *trace *\([0-9a-f]*\) .*/\1/p' "$1"; }

# What it prints is the same on any number of processors; the machine does the same twice.
if [ "$(uname -s)" = Linux ] && cc -O1 -D_GNU_SOURCE "$here/proc_harts.c" -o "$scratch/native" \
    -pthread 2>/dev/null && timeout 120 "$scratch/native" >"$scratch/expected" 2>&1; then
    echo "compared with this Linux"
else
    timeout 120 "$QUIRE" run --quiet -- "$scratch/harts" >"$scratch/expected" || fail "one hart"
fi
for harts in 1 2 3 64; do
    for run in 1 2; do
        timeout 300 "$QUIRE" run --harts $harts -- "$scratch/harts" >"$scratch/output" \
            2>"$scratch/summary.$run" || fail "$harts harts: $(cat "$scratch/output")"
        same_output || fail "$harts harts: another output"
    done
    [ -n "$(trace "$scratch/summary.1")" ] || fail "no trace hash"
    [ "$(trace "$scratch/summary.1")" = "$(trace "$scratch/summary.2")" ] ||
        fail "$harts harts: two runs differ"
    if [ $harts -gt 1 ]; then
        grep -q 'TLB shootdowns reached [1-9]' "$scratch/summary.1" ||
            fail "$harts harts: no shootdowns: $(cat "$scratch/summary.1")"
    elif grep -q shootdowns "$scratch/summary.1"; then
        fail "one hart has nobody to tell"
    fi
done

# In memory that is too small for it, where reclaim takes pages that others have just used.
timeout 300 "$QUIRE" run --harts 4 --ram 4M --swap 64M -- "$scratch/harts" >"$scratch/output" \
    2>"$scratch/summary" || fail "4 MiB: $(cat "$scratch/output")"
same_output || fail "4 MiB: another output"

# Busy threads, in milliseconds of the virtual clock: n on h harts take ceil(n / h) times one, and
# so do all of them in turn when n is no multiple (five on four: 5/4). Within 2 %; making forty
# takes 3 % of the time.
time_of() { # HARTS THREADS
    "$QUIRE" run --quiet --harts "$1" -- "$scratch/threads" busy "$2" || fail "threads $1 $2"
}
one=$(time_of 1 1)
for row in '1 4 4' '2 4 2' '4 4 1' '4 5 1.25' '8 4 1' '64 40 1.03'; do
    set -- $row
    took=$(time_of "$1" "$2")
    awk -v one="$one" -v took="$took" -v times="$3" 'BEGIN {
        exit !(took > one * times * 0.98 && took < one * times * 1.02) }' ||
        fail "$2 threads on $1 harts took $took us, one on one $one"
done

# Waiting is no work: eight that sleep a millisecond take about one, on one hart or on four.
for harts in 1 4; do
    took=$("$QUIRE" run --quiet --harts $harts -- "$scratch/threads" sleep 8)
    [ "$took" -ge 1000 ] && [ "$took" -lt 3000 ] || fail "8 sleepers on $harts harts: $took us"
done

# Nobody starves: one that may run on one hart only, where others spin, gets its share there.
for harts in 1 2 3 4; do
    timeout 60 "$QUIRE" run --quiet --harts $harts -- "$scratch/threads" pinned $harts ||
        fail "pinned, $harts harts"
done

# What programs are told.
for harts in 1 3 64; do
    timeout 60 "$QUIRE" run --quiet --harts $harts -- "$scratch/threads" count $harts ||
        fail "$harts harts are told wrongly"
done
echo "harts: good"
