#!/bin/sh
# sock_calls.sh: the calls on sockets answer as those of Linux do: the host's, or by qemu-riscv64.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
cd "$scratch" || exit 1
source=$QUIRE_SOURCE/tests/run/sock_calls.c
riscv64-linux-gnu-gcc -w -O1 -D_GNU_SOURCE -static -o program "$source" -pthread ||
    fail "does not compile"
mkdir theirs ours again
if [ "$(uname -s)" = Linux ] && command -v cc >/dev/null; then
    cc -w -O1 -D_GNU_SOURCE -o theirs/native "$source" -pthread || fail "does not compile here"
    theirs=./native
elif command -v qemu-riscv64 >/dev/null; then
    theirs="qemu-riscv64 ../program"
else
    skip "no Linux to compare with"
fi
ask_linux() {
    (cd theirs && timeout 120 $theirs) >expected </dev/null || skip "it does not end here"
}
ask_linux
grep -q '^-- v6 at ::' expected && ! grep -q 'EADDRNOTAVAIL\|EPERM$' expected ||
    skip "this host has no loopback to compare with"
for where in ours again; do
    (cd $where && timeout 120 "$QUIRE" run --ram 32M -- ../program) >got.$where 2>err.$where \
        </dev/null || fail "status $?: $(tail -n 5 err.$where)"
done
for try in 1 2 3; do # on a busy host the native one may look too early
    diff expected got.ours >differences && break
    ask_linux
done
diff expected got.ours >differences || fail "answers differ (<: Linux): $(head -n 40 differences)"
[ "$(grep trace err.ours)" = "$(grep trace err.again)" ] || fail "two runs differ"
[ -z "$(ls ours)" ] || fail "left behind: $(ls ours)"
echo "$(wc -l <got.ours) answers are those of Linux"
