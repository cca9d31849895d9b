#!/bin/sh
# Twice the memory that there is: the textbook's 8 GiB on a machine of 4, made smaller. Who refuses,
# who is killed, who runs: by mode, by swap, and by whether it is touched.
. "$(dirname "$0")/lib.sh"
cross=riscv64-linux-gnu-gcc
command -v $cross >/dev/null || skip "no $cross"
$cross -O1 -D_GNU_SOURCE -static "$(dirname "$0")/proc_overcommit.c" -o "$scratch/program" ||
    fail "proc_overcommit.c does not compile"

try() { # EXPECTED-STATUS MODE SWAP PARTS [touch]
    expected=$1 mode=$2 swap=$3
    shift 3
    "$QUIRE" run --quiet --ram 32M --swap "$swap" --overcommit "$mode" -- \
        "$scratch/program" 64 "$@" >"$scratch/out" 2>&1
    status=$?
    [ $status = "$expected" ] ||
        fail "mode $mode, swap $swap, $*: status $status: $(cat "$scratch/out")"
}

try 1 0 0 1         # at once, more than RAM and swap: refused
try 0 0 0 8         # in parts it is not
try 137 0 0 8 touch # but it is not there to be touched
try 0 0 64M 1 touch # with swap it is
try 0 1 0 1         # who promises anything grants it
try 137 1 0 1 touch # and kills
try 1 2 0 8         # who promises only what there is refuses in time
try 1 2 32M 8       # 16M of RAM and 32M of swap are less than 64
try 0 2 64M 8 touch # 16M and 64M are not
grep -q '^CommitLimit: *8[0-9]* kB' "$scratch/out" || fail "CommitLimit: $(cat "$scratch/out")"
awk '/^CommitLimit/ { limit = $2 } /^Committed_AS/ { used = $2 }
     END { exit !(used > 65536 && used <= limit) }' "$scratch/out" ||
    fail "more is committed than the limit: $(cat "$scratch/out")"
