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
# What it prints is no evidence: it writes there at random, too. Its result is a file of its root.
for seed in 1 2; do
    mkdir -p "case$seed/root" "case$seed/outside"
    echo forbidden >"case$seed/outside/secret"
    ls -lR --time-style=full-iso "case$seed/outside" >before
    cp hostile "case$seed/root/"
    [ $seed = 1 ] && oom=kill || oom=group
    rm -f out err # it may have changed their permissions, too
    timeout 6000 "$QUIRE" run --quiet --ram 16M --swap 32M --seed $seed --oom $oom \
        --root "case$seed/root" -- /hostile $seed $calls </dev/null >out 2>err ||
        fail "seed $seed: status $?: $(chmod -R u+rwX . && tail -c 300 err | tr -d '\0')"
    chmod -R u+rwX "case$seed"
    grep -q "^survived all calls, escaped 0 times$" "case$seed/root/result" ||
        fail "seed $seed: $(cat "case$seed/root/result")"
    ls -lR --time-style=full-iso "case$seed/outside" | diff before - || fail "it has been outside"
    [ "$(ls "case$seed")" = "outside
root" ] || fail "something lies beside its root: $(ls "case$seed")"
done
echo "2 seeds of $calls calls, fork and memory bombs, storms of mappings and renames"
