#!/bin/sh
# fs_hostile.sh: calls on files with hostile arguments, drawn by seed: kernel and program survive.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
cd "$scratch" || exit 1
calls=20000
[ -z "${QUIRE_FULL:-}" ] || calls=1000000
riscv64-linux-gnu-gcc -O1 -static -o hostile "$QUIRE_SOURCE/tests/run/fs_hostile.c" ||
    fail "does not compile"
for seed in 1 2 3 4 5; do
    mkdir "root$seed"
    cp hostile "root$seed/"
    rm -f out err # the guest may have changed their permissions
    timeout 300 "$QUIRE" run --quiet --ram 32M --root "root$seed" -- /hostile $seed $calls \
        </dev/null >out 2>err || fail "seed $seed: status $?: $(tail -c 200 err)"
    chmod u+rw out err
    grep -a -q "survived $calls calls" out || fail "seed $seed: $(tail -c 200 out)"
done
echo "5 seeds of $calls calls"
