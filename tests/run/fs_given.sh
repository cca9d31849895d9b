#!/bin/sh
# fs_given.sh: standard streams that are files, and RLIMIT_FSIZE: what each call answers, and what
# is in the files then, is what this Linux answers.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
source=$(cd "$(dirname "$0")" && pwd)/fs_given.c
cd "$scratch" || exit 1
riscv64-linux-gnu-gcc -w -O1 -static -o program "$source" || fail "does not compile"
cc -w -O1 -o native "$source" 2>/dev/null || skip "nothing to compare with: not compiled natively"
mkdir theirs ours
printf 0123456789 >in
(cd theirs && ../native <../in >out 2>said) || fail "natively: status $?"
(cd ours && timeout 120 "$QUIRE" run --quiet --ram 16M -- ../program <../in >out 2>said) ||
    fail "status $?: $(tail -n 5 ours/said)"
diff theirs/said ours/said >differences || fail "answers differ (<: Linux): $(cat differences)"
cmp theirs/out ours/out || fail "standard output differs"
cmp theirs/own ours/own || fail "its own file differs"
echo "$(wc -l <theirs/said) answers are those of Linux"
