#!/bin/sh
# killed.sh: kill -9 of `quire run` at random moments leaves nothing behind: no process, no file, no
# lock. The moments are drawn from a seed (QUIRE_SEED); where they hit depends on the host, what
# must hold afterwards does not. What other terminals look through is a socket without a file, whose
# name goes with it. QUIRE_FULL=1: 1,000 of them.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
command -v flock >/dev/null || skip "no flock"
[ -r /proc/self/environ ] || skip "no /proc to look for processes in"
cd "$scratch" || exit 1
times=50
[ -z "${QUIRE_FULL:-}" ] || times=1000
seed=${QUIRE_SEED:-1}
mark=quire-killed-$$-$(basename "$scratch")

# It never ends: processes, pipes, a terminal, sockets, shared memory, files without a name, and
# more memory than there is.
cat >busy.c <<'END'
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    int pair[2];
    write(1, "running\n", 8);
    for (unsigned round = 0;; round++) {
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
        int pty = open("/dev/ptmx", O_RDWR), nameless = open(".", O_TMPFILE | O_RDWR, 0600);
        int memory = memfd_create("m", 0), segment = shmget(IPC_PRIVATE, 65536, 0600);
        int fd = open("own", O_RDWR | O_CREAT, 0600);
        flock(fd, 2);
        memset(shmat(segment, 0, 0), 1, 65536);
        shmctl(segment, IPC_RMID, 0);
        write(nameless, "x", 1), write(memory, "x", 1), write(fd, "x", 1);
        if (fork() == 0) {
            char *all = malloc(12 << 20);
            memset(all, (int)round, 12 << 20);
            write(pair[1], all, 1);
            _exit(0);
        }
        char byte;
        read(pair[0], &byte, 1);
        wait(NULL);
        close(pair[0]), close(pair[1]), close(pty), close(nameless), close(memory), close(fd);
    }
}
END
riscv64-linux-gnu-gcc -w -O1 -D_GNU_SOURCE -static -o busy busy.c || fail "does not compile"
mkdir work temporary home && mkdir -m 700 runtime
XDG_RUNTIME_DIR=$scratch/runtime
export XDG_RUNTIME_DIR
"$QUIRE" mkswap --size 32M swap >/dev/null 2>log || fail "no swap file: $(cat log)"
touch work/own # the program's own, which a program that is killed leaves as it was
ls -A work temporary home runtime >before
shared=$(ls -A /dev/shm 2>/dev/null | grep -c quire)

start() { # WHERE its output goes
    (cd work && exec env QUIRE_MARK="$mark" TMPDIR="$scratch/temporary" HOME="$scratch/home" \
        "$QUIRE" run --quiet --ram 8M --swap "$scratch/swap" --zswap lz4 -- ../busy \
        >"$1" 2>"$scratch/err" </dev/null) &
    pid=$!
}

# That what is looked for below can be found: while it runs, there are a lock and our mark.
mkfifo said
start "$scratch/said"
read -r line <said
[ "$line" = running ] || fail "it does not run: $(cat err)"
flock -n swap true && fail "it runs and has not locked its swap file"
grep -qsa "$mark" /proc/$pid/environ || fail "it runs without our mark"
grep -q "@$scratch/runtime/quire/$pid\$" /proc/net/unix || fail "it runs and nobody can look at it"
kill -KILL $pid
wait $pid 2>/dev/null

awk -v n=$times -v seed="$seed" 'BEGIN {
    srand(seed)
    for (i = 0; i < n; i++) printf "%.4f\n", rand() * rand() * 0.16 # early ones more often
}' >moments
number=0
while read -r moment; do
    number=$((number + 1))
    start /dev/null
    sleep "$moment"
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    status=$?
    [ $status = 137 ] || fail "at $moment s: status $status, not 137: $(cat err)"
    # Nobody has our mark: environments of zombies are empty, of others unreadable.
    left=$(grep -lsa "$mark" /proc/[0-9]*/environ)
    [ -z "$left" ] || fail "at $moment s: processes are left: $left"
    flock -n swap true || fail "at $moment s: the swap file is locked still"
    flock -n work/own true || fail "at $moment s: the program's lock is there still"
    ! grep "$scratch" /proc/net/unix || fail "at $moment s: a socket is left"
    ls -A work temporary home runtime | cmp -s - before ||
        fail "at $moment s: files are left: $(ls -A work temporary home runtime | diff before -)"
done <moments
[ "$(ls -A /dev/shm 2>/dev/null | grep -c quire)" -le "$shared" ] || fail "left in /dev/shm"
# And all can be used again.
printf 'int main(void) { return 42; }' >good.c
riscv64-linux-gnu-gcc -static -o good good.c || fail "does not compile"
"$QUIRE" run --quiet --ram 8M --swap swap -- ./good
[ $? = 42 ] || fail "the swap file can not be used again"
echo "killed $number times (seed $seed): no process, no file, no lock, no socket is left"
