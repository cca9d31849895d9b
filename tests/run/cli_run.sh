#!/bin/sh
# cli_run.sh: what quire run promises besides running: exit codes, streams, signals, the same run
# twice, directories, the OOM killer's code.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
cd "$scratch" || exit 1

cat >program.c <<'END'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static volatile sig_atomic_t caught;
static void handler(int signal) { caught = signal; }
int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "exit")) return atoi(argv[2]);
    if (!strcmp(what, "abort")) abort();
    if (!strcmp(what, "null")) return *(volatile int *)0;
    if (!strcmp(what, "echo")) { for (int i = 2; i < argc; i++) puts(argv[i]); return 0; }
    if (!strcmp(what, "cat")) { int c; while ((c = getchar()) != EOF) putchar(c); return 0; }
    if (!strcmp(what, "stderr")) { fputs("to stderr\n", stderr); return 0; }
    if (!strcmp(what, "cwd")) { char b[4096]; puts(getcwd(b, sizeof b)); return 0; }
    if (!strcmp(what, "chmod")) return fchmod(0, 0600) == 0;
    if (!strcmp(what, "env")) { puts(getenv("QUIRE_TEST_WORD")); return 0; }
    if (!strcmp(what, "eat")) {
        for (size_t n = (size_t)atoi(argv[2]) << 20, i = 0; i < n; i += 1 << 20)
            memset(malloc(1 << 20), 1, 1 << 20);
        return 0;
    }
    if (!strcmp(what, "wait")) {
        signal(SIGTERM, handler);
        puts("ready"); fflush(stdout);
        while (!caught) usleep(1000);
        printf("caught %d\n", caught);
        return 7;
    }
    if (!strcmp(what, "spin")) { puts("ready"); fflush(stdout); for (;;) usleep(1000); }
    return 1;
}
END
riscv64-linux-gnu-gcc -O1 -static -o program program.c || fail "does not compile"

# status CODE ARGUMENTS...: of the program.
status() {
    want=$1
    shift
    timeout 120 "$QUIRE" run --quiet --ram 16M -- ./program "$@" >out 2>err
    got=$?
    [ "$got" = "$want" ] || fail "program $*: exit code $got, not $want: $(cat err)"
}

status 0 exit 0
status 42 exit 42
status 134 abort
status 139 null
status 0 echo --ram 1 '' 'two words'
printf '%s\n' --ram 1 '' 'two words' | cmp - out || fail "arguments reach the program changed"
status 0 stderr
[ "$(cat err)" = 'to stderr' ] || fail "--quiet adds to standard error: $(cat err)"
status 0 cwd
[ "$(cat out)" = "$(pwd -P)" ] || fail "cwd is $(cat out)"
before=$(stat -c %a /dev/null)
status 0 chmod </dev/null
[ "$(stat -c %a /dev/null)" = "$before" ] || fail "a program changed the mode of /dev/null"
QUIRE_TEST_WORD=here status 0 env
[ "$(cat out)" = here ] || fail "the environment does not reach the program"
head -c 300000 /dev/urandom >bytes
"$QUIRE" run --quiet -- ./program cat <bytes | cmp - bytes || fail "bytes change on their way"

# Streams that are closed stay closed to the program, and nothing of it goes into our files.
case $("$QUIRE" run --json probe.json -- /nonexistent 2>&1) in
*libjansson*) ;;
*)
    for streams in '>&-' '2>&-' '<&-' '>&- 2>&- <&-'; do
        run='"$QUIRE" run --quiet --json closed.json -- ./program echo words'
        eval "$run $streams" >closed.out ||  fail "with $streams: $?"
        [ "$(head -c 10 closed.json)" = '{"schema":' ] && ! grep -q '^words' closed.json ||
            fail "with $streams a file got what the program printed: $(head -c 80 closed.json)"
    done
    ;;
esac

# A program that is here, but not in the tree: what would show it.
mkdir -p empty-root
"$QUIRE" run --root empty-root -- ./program exit 0 2>err
[ $? = 127 ] && grep -q -e '^quire: ./program: no such file in the tree; --bind DIR' err ||
    fail "outside of the tree: $(cat err)"

# Out of memory, without swap: 137, and the summary says who.
timeout 120 "$QUIRE" run --ram 16M --swap 0 -- ./program eat 64 >out 2>err
got=$?
[ "$got" -eq 137 ] || fail "eating 64 MiB of 16: exit code $got, not 137: $(cat err)"
grep -q '^  oom' err || fail "the summary has no oom line: $(cat err)"
status 0 eat 40 # with swap it fits

# The same run twice: the same figures and hash, to the last digit.
"$QUIRE" run --ram 16M -- ./program eat 48 2>first || fail "status $?"
"$QUIRE" run --ram 16M -- ./program eat 48 2>second || fail "status $?"
cmp first second || fail "two equal runs differ: $(diff first second)"
grep -q '^  trace ' first || fail "no trace hash in the summary"
# Also when the files are others on the host: the same program as a copy, which has another inode.
cp program again && mv again program
"$QUIRE" run --ram 16M -- ./program eat 48 2>second || fail "status $?"
cmp first second || fail "a copy's run differs: $(diff first second)"

# TERM goes to the program: it may catch it, or die of it. Not under timeout(1), which on a busy
# machine may take a signal before it knows its child, and sends each one twice.
until_says() { # until_says WORD: the program has written it, or 30 s have passed
    tries=0
    until grep -q "$1" out 2>/dev/null || [ $tries -ge 3000 ]; do
        sleep 0.01
        tries=$((tries + 1))
    done
}
signal_case() { # signal_case PROGRAM STATUS COUNT: so many TERMs when it is ready
    what=$1 want=$2 count=$3
    rm -f out # what the last one wrote must not say that this one is ready
    "$QUIRE" run --quiet --clock host -- ./program "$what" >out 2>err &
    quire_pid=$!
    until_says ready
    while [ "$count" -gt 0 ]; do
        kill -TERM "$quire_pid"
        count=$((count - 1))
    done 2>/dev/null
    wait "$quire_pid"
    got=$?
    [ "$got" = "$want" ] || fail "TERM to '$what': exit code $got, not $want: $(cat out err)"
}
signal_case wait 7 1
grep -q 'caught 15' out || fail "the handler did not see the signal"
signal_case spin 143 1
signal_case wait 7 3000 # while the machine goes down, too: how the program ended does not change
echo "exit codes, streams, signals, out of memory, and the same run twice"
