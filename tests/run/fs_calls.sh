#!/bin/sh
# fs_calls.sh: the calls on files answer as those of Linux do, which qemu-riscv64 passes through.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
command -v qemu-riscv64 >/dev/null || skip "no qemu-riscv64"
cd "$scratch" || exit 1
riscv64-linux-gnu-gcc -w -O1 -static -o program "$QUIRE_SOURCE/tests/run/fs_calls.c" ||
    fail "does not compile"
mkdir theirs ours
(cd theirs && qemu-riscv64 ../program 3>&- 4>&-) >expected 2>expected.err </dev/null
(cd ours && timeout 120 "$QUIRE" run --quiet --ram 32M -- ../program) >got 2>got.err </dev/null ||
    fail "status $?: $(tail -n 5 got.err)"
diff expected got >differences || fail "answers differ (<: Linux): $(head -n 40 differences)"
[ -z "$(ls ours)" ] || fail "left behind: $(ls ours)"
echo "$(wc -l <got) answers are those of Linux"
