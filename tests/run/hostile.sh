#!/bin/sh
# hostile.sh: a hostile program hurts only itself: the machine lives, stays in its root, and what
# lies beside the root is as it was.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
cd "$scratch" || exit 1
calls=25000
[ -z "${QUIRE_FULL:-}" ] || calls=5000000 # twice
riscv64-linux-gnu-gcc -w -O1 -D_GNU_SOURCE -static -o hostile \
    "$QUIRE_SOURCE/tests/run/hostile.c" || fail "does not compile"
for seed in 1 2; do
    mkdir -p "case$seed/root" "case$seed/outside"
    echo forbidden >"case$seed/outside/secret"
    ls -lR --time-style=full-iso "case$seed/outside" >before
    cp hostile "case$seed/root/"
    timeout 3000 "$QUIRE" run --quiet --ram 16M --swap 32M --seed $seed \
        --root "case$seed/root" -- /hostile $seed $calls </dev/null >out 2>err ||
        fail "seed $seed: status $?: $(tail -c 300 out) $(tail -c 300 err)"
    grep -a -q "survived all calls, escaped 0 times" out || fail "seed $seed: $(tail -c 200 out)"
    ls -lR --time-style=full-iso "case$seed/outside" | diff before - || fail "it has been outside"
    [ "$(ls "case$seed")" = "outside
root" ] || fail "something lies beside its root: $(ls "case$seed")"
done
echo "2 seeds of $calls calls, fork bombs, storms of mappings and renames"
