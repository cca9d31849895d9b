#!/bin/sh
# fs_dates.sh: programs on the virtual clock see files dated by it, as Linux dates them by its own;
# on the disk is the host's date; and what the host changes meanwhile is seen with the host's.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
cd "$scratch" || exit 1
source=$(cd "$(dirname "$0")" && pwd)/fs_dates.c
riscv64-linux-gnu-gcc -O1 -D_GNU_SOURCE -static -o program "$source" || fail "does not compile"
mkdir native inside watched
if cc -O1 -D_GNU_SOURCE -o theirs "$source" 2>/dev/null; then
    (cd native && ../theirs >../out) || fail "not so on this Linux: $(cat out)"
fi
before=$(date +%s)
(cd inside && "$QUIRE" run --quiet --ram 16M -- ../program >../out) || fail "inside: $(cat out)"
after=$(date +%s)
for file in $(find inside -newermt "@$((before - 1))" ! -newermt "@$((after + 1))"); do
    echo "$file"
done >now
grep -qx inside/d/299 now || fail "on the disk it is dated $(stat -c %y inside/d/299)"

mkfifo in
(cd watched && exec "$QUIRE" run --quiet --ram 16M -- ../program watch <../in >../said 2>&1) &
run=$!
exec 3>in
until grep -q ready said 2>/dev/null; do
    kill -0 $run 2>/dev/null || fail "it is gone: $(cat said)"
    sleep 0.05
done
touch -d @1100000000 watched/seen
echo >&3
wait $run || fail "watch: $(cat said)"
[ "$(tail -n 1 said)" = 1100000000 ] || fail "the host's change was not seen: $(cat said)"
echo "files have the dates of the clock that programs read; on the disk those of the host"
