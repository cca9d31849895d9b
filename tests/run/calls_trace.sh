#!/bin/sh
# calls_trace.sh: what --trace-calls prints, line by line; and that it changes nothing.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"
cd "$scratch" || exit 1
mkdir root
riscv64-linux-gnu-gcc -w -O1 -D_GNU_SOURCE -static -o root/calls_trace \
    "$QUIRE_SOURCE/tests/run/calls_trace.c" || fail "does not compile"
run() { # OPTIONS...: 137 is what the program's SIGKILL to itself makes
    timeout 60 env -i PATH=/ ONE=1 "$QUIRE" run --quiet --root root "$@" -- /calls_trace \
        </dev/null >out 2>err
    status=$?
    [ $status = 137 ] || fail "run $*: status $status: $(cat err)"
}
run --trace-calls=trace
[ ! -s err ] || fail "something went to standard error: $(cat err)"
cat >expected <<'END'
[1] openat(AT_FDCWD, "file\n", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0640) = 3
[1] writev(3, [{"one \"", 5}, {"\001and two", 8}], 2) = 13
[1] pread64(3, "ne \"\001and two", 50, 1) = 12
[1] lseek(3, -3, SEEK_END) = 10
[1] read(3, "two", 100) = 3
[1] close(3) = 0
[1] unlinkat(AT_FDCWD, "file\n", 0) = 0
[1] close(77) = -1 EBADF
[1] openat(AT_FDCWD, "/a path that is longer than LONG"..., O_RDONLY|O_PATH) = -1 ENOENT
[1] openat(AT_FDCWD, 0x8, O_RDONLY) = -1 EFAULT
[1] pipe2([3, 4], O_NONBLOCK) = 0
[1] ioctl(3, FIONREAD, [0]) = 0
[1] madvise(PAGE, 4096, MADV_DONTNEED) = 0
[1] mprotect(PAGE, 4096, PROT_NONE) = 0
[1] munmap(PAGE, 8192) = 0
[1] rt_sigprocmask(SIG_BLOCK, [SIGUSR2 SIGALRM], NULL, 8) = 0
[1] getpid() = 1
[1] kill(1, SIGUSR1) = 0
[1] --- SIGUSR1 ---
[1] rt_sigreturn() = ?
[1] clock_nanosleep(CLOCK_REALTIME, 0, [0, 1000], NULL) = 0
[1] socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 5
[2] execve("/calls_trace", ["calls", "again"], /* 2 vars */) = 0
[2] exit_group(4) = ?
[2] +++ exited with 4 +++
[1] wait4(-1, [1024], 0, NULL) = 2
[3] +++ exited with 3 +++
[1] wait4(-1, [768], 0, NULL) = 3
[1] syscall_500(0x1, 0x2, 0x3, ARGS) = -1 ENOSYS
[1] tgkill(1, 1, SIGKILL) = 0
[1] --- SIGKILL ---
[1] +++ killed by SIGKILL +++
END
sed 's/0x7ffff7[0-9a-f]*/PAGE/; s/than what is shown of a string, which is "/than LONG"/
    /^\[1\] syscall_/s/\(0x3, \).*)/\1ARGS)/' trace >got
# In this order, with what the C library does in between.
awk 'NR == FNR { want[++n] = $0; next } i < n && $0 == want[i + 1] { i++ }
     END { if (i < n) { print want[i + 1]; exit 1 } }' expected got >missing ||
    fail "not in the trace, or not in its place: $(cat missing) in: $(cat got)"
memory='PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = PAGE$'
grep -q "^\[1\] mmap(NULL, 8192, $memory" got || fail "no mmap: $(grep mmap got)"
grep -q '^\[1\] read(3, 0x7f[0-9a-f]*, 7) = -1 EAGAIN$' trace || fail "read: $(grep read trace)"
run --trace-calls --check-calls
diff err trace >differences || fail "standard error has another trace: $(head differences)"
run
[ ! -s err ] || fail "without the option there is a trace: $(cat err)"
echo "$(wc -l <trace) lines of calls, $(wc -l <expected) of them known"
