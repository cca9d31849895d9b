#!/bin/sh
# oom.sh: whom --oom kill and --oom group end in a tree of processes, and what is said of it.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
cd "$scratch" || exit 1
riscv64-linux-gnu-gcc -O1 -D_GNU_SOURCE -static -o group "$QUIRE_SOURCE/tests/run/proc_group.c" ||
    fail "does not compile"
run() { # WAY SWAP, then who must be dead
    way=$1 swap=$2
    shift 2
    timeout 120 "$QUIRE" run --ram 16M --swap "$swap" --overcommit 1 ${way:+--oom "$way"} -- \
        ./group >out 2>err </dev/null || fail "--oom $way: status $?: $(tail -n 5 out err)"
    for name in leader worker grandchild other protected hog bystander; do
        case " $* " in
        *" $name "*) echo "$name dead" ;;
        *) echo "$name alive" ;;
        esac
    done >expected
    diff expected out || fail "--oom $way, swap $swap: not those who should have died"
    grep '^  oom ' err >line || fail "--oom $way: the summary says nothing: $(cat err)"
}
run '' 0 hog
grep -q 'killed process [0-9]* (group): total-vm:' line || fail "who and why: $(cat line)"
run kill 8M hog
run group 0 hog leader worker grandchild
grep -q '(group), and with it 3 more of its process group [0-9]*: total-vm:' line ||
    fail "who and why: $(cat line)"
run group 8M hog leader worker grandchild
cp err once
run group 8M hog leader worker grandchild
cmp -s err once || fail "two runs differ: $(diff once err)"
# Process 1 is in its group: the run ends, as from any kill.
cat >all.c <<'END'
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) { if (fork()) pause(); for (;;) memset(malloc(1 << 20), 1, 1 << 20); }
END
riscv64-linux-gnu-gcc -w -O1 -static -o all all.c || fail "does not compile"
timeout 120 "$QUIRE" run --ram 16M --swap 0 --overcommit 1 --oom group -- ./all \
    >out 2>err </dev/null
[ $? = 137 ] || fail "process 1 of the group: status $?, not 137: $(cat err)"
grep -q 'and with it 1 more of its process group 1' err || fail "process 1: $(cat err)"
# Two pages that evict each other may take a program's time for ever, but not the machine's: a
# signal is heard. (Or the OOM killer comes first.)
riscv64-linux-gnu-gcc -O1 -static -o cross "$QUIRE_SOURCE/tests/run/proc_cross.c" ||
    fail "does not compile"
timeout -k 120 4 "$QUIRE" run --ram 8M --swap 0 --overcommit 1 -- ./cross >out 2>err </dev/null
[ $? = 124 ] || grep -q '^  oom' err || fail "an instruction in two pages: $(tail -n 5 err)"
echo "one process, or its group but for who said never; others live"
