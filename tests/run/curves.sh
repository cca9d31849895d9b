#!/bin/sh
# curves.sh: the curves that a report has of a run are those of runs in which every access is told:
# LRU's misses at a hundred sizes, and the working set, to the last one; on one hart and on several.
. "$(dirname "$0")/lib.sh"
cross=riscv64-linux-gnu-gcc
command -v $cross >/dev/null || skip "no $cross"
cd "$scratch" || exit 1
guests=${QUIRE_SOURCE:?}/tests/watch/guests
exact=${QUIRE_BUILD:?}/tests/watch/watch_exact
for name in patterns thrashing forkstorm; do
    $cross -O1 -static -o $name "$guests/$name.c" || fail "$name.c does not compile"
done
$cross -O1 -static -pthread -o threads "$guests/threads.c" || fail "threads.c does not compile"

# exactly RAM_MIB HARTS PROGRAM
exactly() {
    "$exact" "$1" "$2" "./$3" >out 2>err || fail "$3 with $1 MiB on $2 harts: $(cat err out)"
    echo "$3: $(tail -n 1 out)"
}
exactly 64 1 thrashing
exactly 8 1 thrashing # the same accesses, in less RAM
exactly 64 1 patterns
exactly 64 3 patterns
exactly 64 1 forkstorm
exactly 64 2 threads
exit 0
