#!/bin/sh
# processes.sh: states, zombies, orphans as on the host's Linux; a process swapped out and in as a
# whole; kill by name and by number with the distribution's own commands.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
cd "$scratch" || exit 1
source=$QUIRE_SOURCE/tests/run/proc_states.c
riscv64-linux-gnu-gcc -O1 -D_GNU_SOURCE -static -o states "$source" || fail "does not compile"
timeout 120 "$QUIRE" run --quiet --ram 32M --swap 32M -- ./states machine >out 2>err </dev/null ||
    fail "status $?: $(cat out err)"
if [ "$(uname -s)" = Linux ] && command -v cc >/dev/null; then
    cc -O1 -D_GNU_SOURCE -o native "$source" || fail "does not compile here"
    if timeout 60 ./native >expected 2>&1 </dev/null; then
        diff expected out || fail "other than on this Linux"
    else
        echo "does not hold on this Linux itself, not compared: $(tail -n 1 expected)"
    fi
fi
echo "states, orphans, swapped out and in: $(tail -n 1 out)"

test_packages="$test_packages procps grep psmisc"
need_root processes
cat >inside.sh <<'END'
count() { pgrep sleep | wc -l; }
sleep 1000 & one=$!
sleep 1001 & sleep 1002 & two=$!
sleep 1003 & last=$!
echo "four: $(count)"
kill $one; wait $one; echo "by number: $? $(count)"
pkill -f 'sleep 1002'; wait $two; echo "by command line: $(count)"
killall -STOP sleep
grep -h State /proc/[0-9]*/status | grep stopped
echo all >/proc/$last/reclaim && grep VmSwap /proc/$last/status | grep -qv ' 0 kB' && echo "on swap"
killall -CONT sleep
killall sleep; wait; echo "by name: $(count)"
killall sleep 2>&1; echo "nobody: $?"
END
cat >expected <<'END'
four: 4
by number: 143 3
by command line: 2
State:	T (stopped)
State:	T (stopped)
on swap
by name: 0
sleep: no process found
nobody: 1
END
timeout 120 "$QUIRE" run --quiet --ram 32M --swap 32M --root "$root" --bind "$scratch:/w" -- \
    sh /w/inside.sh >out 2>err </dev/null || fail "status $?: $(cat out err)"
diff expected out || fail "killing by name: $(cat err)"
echo "kill, pkill, killall of the distribution"
