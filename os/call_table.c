/* call_table.c: every system call: its handler, and what its six arguments are.
 *
 * It owns the one table that says which arguments are buffers. A row reads like the manual page's
 * synopsis; IN is what the program gives, OUT what it gets:
 *
 *      ROW(read, FD, OUT_BYTES(2), LONG)           bytes out, as many as argument 2 says at most
 *      ROW(fstat, FD, OUT(struct os_stat))         a structure out
 *      ROW(ppoll, INOUT_ARRAY(struct os_pollfd, 1), ...)   as many structures as argument 1 says
 *
 * Arguments count from 0. Only what a row declares may be copied: `quire run --check-calls` ends a
 * run in which a handler copies anything else, and the tests of calls run that way. (Generating the
 * copies from the table was rejected: half of the calls look at a buffer only after other checks,
 * in an order that programs can see by which error they get.)
 *
 * I1  A buffer has a direction, and no other argument has one.
 * I2  `by` names an argument of the same call.
 *
 * Nothing here fails. Read by syscalls.c, call_trace.c, call_check.c. Audit: --check-calls.
 */
#include "os/call_table.h"

#include "os/calls.h"

/* clang-format off */ /* a table: laid out by hand */

/* ---- arguments ------------------------------------------------------------------------------- */

#define NONE     {.kind = OS_ARG_NONE}
#define INT      {.kind = OS_ARG_INT}
#define LONG     {.kind = OS_ARG_LONG}
#define HEX      {.kind = OS_ARG_HEX}
#define ADDRESS  {.kind = OS_ARG_ADDRESS}
#define MODE     {.kind = OS_ARG_MODE}
#define FD       {.kind = OS_ARG_FD}
#define DIRFD    {.kind = OS_ARG_DIRFD}
#define SIGNAL   {.kind = OS_ARG_SIGNAL}
#define WORDS(w) {.kind = OS_ARG_WORDS, .words = os_words_##w}
/* O_CLOEXEC and O_NONBLOCK, where nothing is opened for reading or writing. */
#define FLAGS    {.kind = OS_ARG_WORDS, .words = os_words_open + OS_WORDS_OPEN_MODES}
#define SELECTED(command, rows) {.kind = OS_ARG_SELECTED, .by = (command), .selected = (rows)}

#define FIXED(k, d, bytes)     {.kind = (k), .direction = (d), .unit = (uint32_t)(bytes)}
#define COUNT(k, d, bytes, n)  {.kind = (k), .direction = (d), .form = OS_SIZE_COUNT, .by = (n), \
                                .unit = (uint32_t)(bytes)}
#define RESULT(k, d, n)        {.kind = (k), .direction = (d), .form = OS_SIZE_RESULT, .by = (n), \
                                .unit = 1}
#define PATH                   {.kind = OS_ARG_STRING, .direction = OS_IN}
#define STRINGS                {.kind = OS_ARG_STRINGS, .direction = OS_IN}
#define IN(type)               FIXED(OS_ARG_STRUCT, OS_IN, sizeof(type))
#define OUT(type)              FIXED(OS_ARG_STRUCT, OS_OUT, sizeof(type))
#define INOUT(type)            FIXED(OS_ARG_STRUCT, OS_INOUT, sizeof(type))
#define IN_INTS(n)             FIXED(OS_ARG_INTS, OS_IN, 4 * (n))
#define OUT_INTS(n)            FIXED(OS_ARG_INTS, OS_OUT, 4 * (n))
#define INOUT_INTS(n)          FIXED(OS_ARG_INTS, OS_INOUT, 4 * (n))
#define IN_LONGS(n)            FIXED(OS_ARG_LONGS, OS_IN, 8 * (n))
#define OUT_LONGS(n)           FIXED(OS_ARG_LONGS, OS_OUT, 8 * (n))
#define INOUT_LONGS(n)         FIXED(OS_ARG_LONGS, OS_INOUT, 8 * (n))
#define IN_BYTES(n)            COUNT(OS_ARG_BYTES, OS_IN, 1, n)
#define OUT_BYTES(n)           COUNT(OS_ARG_BYTES, OS_OUT, 1, n)
#define IN_ARRAY(type, n)      COUNT(OS_ARG_STRUCT, OS_IN, sizeof(type), n)
#define OUT_ARRAY(type, n)     COUNT(OS_ARG_STRUCT, OS_OUT, sizeof(type), n)
#define INOUT_ARRAY(type, n)   COUNT(OS_ARG_STRUCT, OS_INOUT, sizeof(type), n)
#define OUT_RESULT(n)          RESULT(OS_ARG_STRUCT, OS_OUT, n)
#define IN_VECTORS(n)          COUNT(OS_ARG_VECTORS, OS_IN, sizeof(struct os_iovec), n)
#define OUT_VECTORS(n)         COUNT(OS_ARG_VECTORS, OS_OUT, sizeof(struct os_iovec), n)
#define SIGSET_IN              FIXED(OS_ARG_SIGSET, OS_IN, 8)
#define SIGSET_OUT             FIXED(OS_ARG_SIGSET, OS_OUT, 8)
#define FD_SET(n)              {.kind = OS_ARG_STRUCT, .direction = OS_INOUT, \
                                .form = OS_SIZE_BITS, .by = (n)}
#define MESSAGE_TEXT(d, n)     {.kind = OS_ARG_STRUCT, .direction = (d), .form = OS_SIZE_COUNT, \
                                .by = (n), .unit = 1, .head = 8}

#define TIME_IN   IN_LONGS(2)  /* struct timespec, timeval */
#define TIME_OUT  OUT_LONGS(2)
#define TIMES_IN  IN_LONGS(4)  /* itimerspec, itimerval */
#define TIMES_OUT OUT_LONGS(4)

/* Layouts of which only the size matters here; sizes of the kernel's structures on riscv64. */
struct sched_attr_bytes { uint8_t bytes[48]; };
struct sigevent_bytes { uint8_t bytes[64]; };
struct shmid_bytes { uint8_t bytes[112]; };
struct shminfo_bytes { uint8_t bytes[72]; };
struct shm_info_bytes { uint8_t bytes[48]; };
struct semid_bytes { uint8_t bytes[88]; };
struct seminfo_bytes { uint8_t bytes[40]; };
struct sembuf_bytes { uint8_t bytes[6]; };
struct msqid_bytes { uint8_t bytes[120]; };
struct msginfo_bytes { uint8_t bytes[32]; };
struct hwprobe_pair { uint64_t key, value; };
#define SEM_SET_MAX 32000 /* SEMMSL: what SETALL and GETALL move at most; the set says how much */
#define COMM_BYTES  16    /* PR_SET_NAME */

/* ---- arguments that a command says the meaning of -------------------------------------------- */

static const struct os_selected of_fcntl[] = {
    {OS_F_GETLK, INOUT(struct os_flock_record)}, {OS_F_SETLK, IN(struct os_flock_record)},
    {OS_F_SETLKW, IN(struct os_flock_record)}, {OS_F_OFD_GETLK, INOUT(struct os_flock_record)},
    {OS_F_OFD_SETLK, IN(struct os_flock_record)}, {OS_F_OFD_SETLKW, IN(struct os_flock_record)},
    {OS_F_SETFL, WORDS(open)}, {0, NONE},
};
static const struct os_selected of_ioctl[] = {
    {OS_TCGETS, OUT(struct os_termios)}, {OS_TCSETS, IN(struct os_termios)},
    {OS_TCSETSW, IN(struct os_termios)}, {OS_TCSETSF, IN(struct os_termios)},
    {OS_TIOCGWINSZ, OUT(struct os_winsize)}, {OS_TIOCSWINSZ, IN(struct os_winsize)},
    {OS_TIOCGPGRP, OUT_INTS(1)}, {OS_TIOCSPGRP, IN_INTS(1)}, {OS_TIOCGSID, OUT_INTS(1)},
    {OS_TIOCOUTQ, OUT_INTS(1)}, {OS_FIONREAD, OUT_INTS(1)}, {OS_FIONBIO, IN_INTS(1)},
    {OS_TIOCSPTLCK, IN_INTS(1)}, {OS_TIOCGPTN, OUT_INTS(1)}, {OS_TIOCGPTLCK, OUT_INTS(1)},
    {0, NONE},
};
static const struct os_selected of_futex_time[] = { /* what is a count for the others */
    {OS_FUTEX_WAIT, TIME_IN}, {OS_FUTEX_WAIT_BITSET, TIME_IN}, {OS_FUTEX_LOCK_PI, TIME_IN},
    {OS_FUTEX_LOCK_PI2, TIME_IN},
    {OS_FUTEX_WAIT | OS_FUTEX_PRIVATE_FLAG, TIME_IN},
    {OS_FUTEX_WAIT_BITSET | OS_FUTEX_PRIVATE_FLAG, TIME_IN},
    {OS_FUTEX_LOCK_PI | OS_FUTEX_PRIVATE_FLAG, TIME_IN},
    {OS_FUTEX_LOCK_PI2 | OS_FUTEX_PRIVATE_FLAG, TIME_IN},
    {OS_FUTEX_WAIT_BITSET | OS_FUTEX_CLOCK_REALTIME, TIME_IN},
    {OS_FUTEX_WAIT_BITSET | OS_FUTEX_PRIVATE_FLAG | OS_FUTEX_CLOCK_REALTIME, TIME_IN},
    {OS_FUTEX_LOCK_PI2 | OS_FUTEX_CLOCK_REALTIME, TIME_IN},
    {OS_FUTEX_LOCK_PI2 | OS_FUTEX_PRIVATE_FLAG | OS_FUTEX_CLOCK_REALTIME, TIME_IN},
    {OS_FUTEX_WAIT | OS_FUTEX_CLOCK_REALTIME, TIME_IN},
    {OS_FUTEX_WAIT | OS_FUTEX_PRIVATE_FLAG | OS_FUTEX_CLOCK_REALTIME, TIME_IN},
    {OS_FUTEX_LOCK_PI | OS_FUTEX_CLOCK_REALTIME, TIME_IN},
    {OS_FUTEX_LOCK_PI | OS_FUTEX_PRIVATE_FLAG | OS_FUTEX_CLOCK_REALTIME, TIME_IN},
    {0, NONE},
};
static const struct os_selected of_prctl[] = {
    {2, OUT_INTS(1)}, /* PR_GET_PDEATHSIG */
    {15, FIXED(OS_ARG_BYTES, OS_IN, COMM_BYTES)}, {16, FIXED(OS_ARG_BYTES, OS_OUT, COMM_BYTES)},
    {37, OUT_INTS(1)}, /* PR_GET_CHILD_SUBREAPER */
    {0, NONE},
};
#define STATUS(command, type) {command, OUT(type)}, {(command) | OS_IPC_64, OUT(type)}
#define CHANGE(type) {OS_IPC_SET, IN(type)}, {OS_IPC_SET | OS_IPC_64, IN(type)}
static const struct os_selected of_shmctl[] = {
    STATUS(OS_IPC_STAT, struct shmid_bytes), STATUS(OS_SHM_STAT, struct shmid_bytes),
    STATUS(OS_SHM_STAT_ANY, struct shmid_bytes), STATUS(OS_IPC_INFO, struct shminfo_bytes),
    STATUS(OS_SHM_INFO, struct shm_info_bytes), CHANGE(struct shmid_bytes), {0, NONE},
};
static const struct os_selected of_msgctl[] = { /* MSG_STAT 11, MSG_INFO 12, MSG_STAT_ANY 13 */
    STATUS(OS_IPC_STAT, struct msqid_bytes), STATUS(11, struct msqid_bytes),
    STATUS(13, struct msqid_bytes), STATUS(OS_IPC_INFO, struct msginfo_bytes),
    STATUS(12, struct msginfo_bytes), CHANGE(struct msqid_bytes), {0, NONE},
};
static const struct os_selected of_semctl[] = { /* GETALL 13, SETALL 17, SEM_STAT 18, _INFO 19 */
    STATUS(OS_IPC_STAT, struct semid_bytes), STATUS(18, struct semid_bytes),
    STATUS(20, struct semid_bytes), STATUS(OS_IPC_INFO, struct seminfo_bytes),
    STATUS(19, struct seminfo_bytes), CHANGE(struct semid_bytes),
    {13, FIXED(OS_ARG_STRUCT, OS_OUT, 2 * SEM_SET_MAX)},
    {13 | OS_IPC_64, FIXED(OS_ARG_STRUCT, OS_OUT, 2 * SEM_SET_MAX)},
    {17, FIXED(OS_ARG_STRUCT, OS_IN, 2 * SEM_SET_MAX)},
    {17 | OS_IPC_64, FIXED(OS_ARG_STRUCT, OS_IN, 2 * SEM_SET_MAX)}, {0, NONE},
};

/* ---- the calls ------------------------------------------------------------------------------- */

#define ROW(call, ...) [OS_SYS_##call] = {#call, os_sys_##call, false, {__VA_ARGS__}}
/* One that ends tasks, or comes back from a handler. */
#define ROW_REGISTERED(call, ...) [OS_SYS_##call] = {#call, os_sys_##call, true, {__VA_ARGS__}}

const struct os_call_row os_call_rows[OS_SYSCALL_LIMIT] = {
    /* extended attributes: the names are looked at no further, there are none */
    ROW(setxattr, PATH, HEX, HEX, LONG, INT), ROW(lsetxattr, PATH, HEX, HEX, LONG, INT),
    ROW(fsetxattr, FD, HEX, HEX, LONG, INT), ROW(getxattr, PATH, HEX, HEX, LONG),
    ROW(lgetxattr, PATH, HEX, HEX, LONG), ROW(fgetxattr, FD, HEX, HEX, LONG),
    ROW(listxattr, PATH, HEX, LONG), ROW(llistxattr, PATH, HEX, LONG),
    ROW(flistxattr, FD, HEX, LONG), ROW(removexattr, PATH, HEX), ROW(lremovexattr, PATH, HEX),
    ROW(fremovexattr, FD, HEX),

    /* names and files */
    ROW(getcwd, OUT_BYTES(1), LONG), ROW(chdir, PATH), ROW(fchdir, FD),
    ROW(openat, DIRFD, PATH, WORDS(open), MODE),
    ROW(openat2, DIRFD, PATH, IN(struct os_open_how), LONG), ROW(close, FD),
    ROW(close_range, FD, FD, HEX), ROW(dup, FD), ROW(dup3, FD, FD, FLAGS),
    ROW(fcntl, FD, WORDS(fcntl), SELECTED(1, of_fcntl)), ROW(flock, FD, WORDS(flock)),
    ROW(ioctl, FD, WORDS(ioctl), SELECTED(1, of_ioctl)), ROW(mknodat, DIRFD, PATH, MODE, HEX),
    ROW(mkdirat, DIRFD, PATH, MODE), ROW(unlinkat, DIRFD, PATH, WORDS(at)),
    ROW(symlinkat, PATH, DIRFD, PATH), ROW(linkat, DIRFD, PATH, DIRFD, PATH, WORDS(at)),
    ROW(renameat2, DIRFD, PATH, DIRFD, PATH, HEX), ROW(readlinkat, DIRFD, PATH, OUT_BYTES(3), LONG),
    ROW(faccessat, DIRFD, PATH, WORDS(access)),
    ROW(faccessat2, DIRFD, PATH, WORDS(access), WORDS(at)), ROW(fchmod, FD, MODE),
    ROW(fchmodat, DIRFD, PATH, MODE), ROW(fchmodat2, DIRFD, PATH, MODE, WORDS(at)),
    ROW(fchownat, DIRFD, PATH, INT, INT, WORDS(at)), ROW(fchown, FD, INT, INT),
    ROW(utimensat, DIRFD, PATH, TIMES_IN, WORDS(at)), ROW(truncate, PATH, LONG),
    ROW(ftruncate, FD, LONG), ROW(fallocate, FD, HEX, LONG, LONG),
    ROW(newfstatat, DIRFD, PATH, OUT(struct os_stat), WORDS(at)),
    ROW(fstat, FD, OUT(struct os_stat)),
    ROW(statx, DIRFD, PATH, WORDS(at), HEX, OUT(struct os_statx)),
    ROW(statfs, PATH, OUT(struct os_statfs)), ROW(fstatfs, FD, OUT(struct os_statfs)),
    ROW(getdents64, FD, COUNT(OS_ARG_STRUCT, OS_OUT, 1, 2), LONG), ROW(umask, MODE),
    ROW(sync, NONE), ROW(syncfs, FD), ROW(fsync, FD), ROW(fdatasync, FD),
    ROW(sync_file_range, FD, LONG, LONG, HEX), ROW(fadvise64, FD, LONG, LONG, INT),
    ROW(readahead, FD, LONG, LONG), ROW(memfd_create, PATH, HEX),
    ROW(inotify_init1, FLAGS), ROW(inotify_add_watch, FD, PATH, HEX),
    ROW(inotify_rm_watch, FD, INT),

    /* bytes */
    ROW(lseek, FD, LONG, WORDS(seek)), ROW(read, FD, OUT_BYTES(2), LONG),
    ROW(write, FD, IN_BYTES(2), LONG), ROW(readv, FD, OUT_VECTORS(2), INT),
    ROW(writev, FD, IN_VECTORS(2), INT), ROW(pread64, FD, OUT_BYTES(2), LONG, LONG),
    ROW(pwrite64, FD, IN_BYTES(2), LONG, LONG), ROW(preadv, FD, OUT_VECTORS(2), INT, LONG),
    ROW(pwritev, FD, IN_VECTORS(2), INT, LONG),
    ROW(preadv2, FD, OUT_VECTORS(2), INT, LONG, HEX, HEX),
    ROW(pwritev2, FD, IN_VECTORS(2), INT, LONG, HEX, HEX),
    ROW(sendfile, FD, FD, INOUT_LONGS(1), LONG),
    ROW(splice, FD, INOUT_LONGS(1), FD, INOUT_LONGS(1), LONG, HEX),
    ROW(copy_file_range, FD, INOUT_LONGS(1), FD, INOUT_LONGS(1), LONG, HEX),

    /* waiting for files, and files that tell of events */
    ROW(pipe2, OUT_INTS(2), FLAGS),
    ROW(ppoll, INOUT_ARRAY(struct os_pollfd, 1), INT, INOUT_LONGS(2), SIGSET_IN, LONG),
    ROW(pselect6, INT, FD_SET(0), FD_SET(0), FD_SET(0), INOUT_LONGS(2),
        FIXED(OS_ARG_MASK_PAIR, OS_IN, 16)),
    ROW(eventfd2, INT, FLAGS), ROW(epoll_create1, FLAGS),
    ROW(epoll_ctl, FD, WORDS(epoll), FD, IN(struct os_epoll_event)),
    ROW(epoll_pwait, FD, OUT_ARRAY(struct os_epoll_event, 2), INT, INT, SIGSET_IN, LONG),
    ROW(epoll_pwait2, FD, OUT_ARRAY(struct os_epoll_event, 2), INT, TIME_IN, SIGSET_IN, LONG),
    ROW(timerfd_create, WORDS(clock), FLAGS),
    ROW(timerfd_settime, FD, HEX, TIMES_IN, TIMES_OUT), ROW(timerfd_gettime, FD, TIMES_OUT),
    ROW(signalfd4, FD, SIGSET_IN, LONG, FLAGS), ROW(pidfd_open, INT, HEX),
    ROW(pidfd_send_signal, FD, SIGNAL, IN(struct os_siginfo), HEX),

    /* processes */
    ROW(clone, WORDS(clone), ADDRESS, OUT_INTS(1), ADDRESS, OUT_INTS(1)),
    ROW(clone3, COUNT(OS_ARG_CLONE, OS_IN, 1, 1), LONG),
    ROW_REGISTERED(execve, PATH, STRINGS, STRINGS), ROW_REGISTERED(exit, INT),
    ROW_REGISTERED(exit_group, INT),
    ROW(wait4, INT, OUT_INTS(1), WORDS(wait), OUT(struct os_rusage)),
    ROW(waitid, INT, INT, OUT(struct os_siginfo), WORDS(wait), OUT(struct os_rusage)),
    ROW(set_tid_address, ADDRESS), ROW(set_robust_list, ADDRESS, LONG),
    ROW(get_robust_list, INT, OUT_LONGS(1), OUT_LONGS(1)),
    ROW(futex, INOUT_INTS(1), WORDS(futex), INT, SELECTED(1, of_futex_time), INOUT_INTS(1), HEX),
    ROW(rseq, ADDRESS, LONG, HEX, HEX), ROW(membarrier, INT, HEX, INT), ROW(personality, HEX),
    ROW(prctl, WORDS(prctl), SELECTED(0, of_prctl), HEX, HEX, HEX), ROW(getpid, NONE),
    ROW(getppid, NONE), ROW(gettid, NONE), ROW(getpgid, INT), ROW(setpgid, INT, INT),
    ROW(getsid, INT), ROW(setsid, NONE),
    ROW(getuid, NONE), ROW(geteuid, NONE), ROW(getgid, NONE), ROW(getegid, NONE),
    ROW(getresuid, OUT_INTS(1), OUT_INTS(1), OUT_INTS(1)),
    ROW(getresgid, OUT_INTS(1), OUT_INTS(1), OUT_INTS(1)), ROW(setuid, INT), ROW(setgid, INT),
    ROW(setreuid, INT, INT), ROW(setregid, INT, INT), ROW(setresuid, INT, INT, INT),
    ROW(setresgid, INT, INT, INT), ROW(setfsuid, INT), ROW(setfsgid, INT),
    ROW(getgroups, INT, COUNT(OS_ARG_INTS, OS_OUT, 4, 0)),
    ROW(setgroups, INT, COUNT(OS_ARG_INTS, OS_IN, 4, 0)),
    ROW(capget, INOUT_INTS(2), OUT_INTS(6)), ROW(capset, INOUT_INTS(2), IN_INTS(6)),
    ROW(getpriority, INT, INT), ROW(setpriority, INT, INT, INT),
    ROW(getrusage, INT, OUT(struct os_rusage)), ROW(getrlimit, WORDS(rlimit), OUT_LONGS(2)),
    ROW(setrlimit, WORDS(rlimit), IN_LONGS(2)),
    ROW(prlimit64, INT, WORDS(rlimit), IN_LONGS(2), OUT_LONGS(2)),
    ROW(sched_yield, NONE), ROW(sched_getaffinity, INT, LONG, OUT_BYTES(1)),
    ROW(sched_setaffinity, INT, LONG, IN_BYTES(1)), ROW(sched_getscheduler, INT),
    ROW(sched_setscheduler, INT, INT, IN_INTS(1)), ROW(sched_getparam, INT, OUT_INTS(1)),
    ROW(sched_setparam, INT, IN_INTS(1)), ROW(sched_get_priority_max, INT),
    ROW(sched_get_priority_min, INT), ROW(sched_rr_get_interval, INT, TIME_OUT),
    ROW(sched_setattr, INT, IN(struct sched_attr_bytes), HEX),
    ROW(sched_getattr, INT, OUT_BYTES(2), LONG, HEX),

    /* signals */
    ROW(rt_sigaction, SIGNAL, IN(struct os_sigaction_record), OUT(struct os_sigaction_record),
        LONG),
    ROW(rt_sigprocmask, WORDS(mask_how), SIGSET_IN, SIGSET_OUT, LONG),
    ROW_REGISTERED(rt_sigreturn, NONE), ROW(rt_sigsuspend, SIGSET_IN, LONG),
    ROW(rt_sigpending, OUT_BYTES(1), LONG),
    ROW(rt_sigtimedwait, SIGSET_IN, OUT(struct os_siginfo), TIME_IN, LONG),
    ROW(rt_sigqueueinfo, INT, SIGNAL, IN(struct os_siginfo)),
    ROW(rt_tgsigqueueinfo, INT, INT, SIGNAL, IN(struct os_siginfo)),
    ROW(sigaltstack, IN(struct os_stack_record), OUT(struct os_stack_record)),
    ROW(kill, INT, SIGNAL), ROW(tkill, INT, SIGNAL), ROW(tgkill, INT, INT, SIGNAL),

    /* time */
    ROW(setitimer, INT, TIMES_IN, TIMES_OUT), ROW(getitimer, INT, TIMES_OUT),
    ROW(clock_gettime, WORDS(clock), TIME_OUT), ROW(clock_getres, WORDS(clock), TIME_OUT),
    ROW(clock_settime, WORDS(clock), TIME_IN), ROW(gettimeofday, TIME_OUT, OUT_INTS(2)),
    ROW(nanosleep, TIME_IN, TIME_OUT), ROW(clock_nanosleep, WORDS(clock), HEX, TIME_IN, TIME_OUT),
    ROW(times, OUT_LONGS(4)),
    ROW(timer_create, WORDS(clock), IN(struct sigevent_bytes), OUT_INTS(1)),
    ROW(timer_settime, INT, HEX, TIMES_IN, TIMES_OUT), ROW(timer_gettime, INT, TIMES_OUT),
    ROW(timer_getoverrun, INT), ROW(timer_delete, INT),

    /* memory */
    ROW(brk, ADDRESS), ROW(mmap, ADDRESS, LONG, WORDS(prot), WORDS(map), FD, LONG),
    ROW(munmap, ADDRESS, LONG), ROW(mprotect, ADDRESS, LONG, WORDS(prot)),
    ROW(mremap, ADDRESS, LONG, LONG, WORDS(mremap), ADDRESS),
    ROW(madvise, ADDRESS, LONG, WORDS(madvise)),
    ROW(process_madvise, FD, COUNT(OS_ARG_STRUCT, OS_IN, sizeof(struct os_iovec), 2), LONG,
        WORDS(madvise), HEX),
    ROW(mincore, ADDRESS, LONG, {.kind = OS_ARG_STRUCT, .direction = OS_OUT, .form = OS_SIZE_PAGES,
                             .by = 1, .unit = 1}),
    ROW(msync, ADDRESS, LONG, WORDS(msync)), ROW(mlock, ADDRESS, LONG), ROW(munlock, ADDRESS, LONG),
    ROW(mlockall, HEX), ROW(munlockall, NONE), ROW(mlock2, ADDRESS, LONG, HEX),
    ROW(swapon, PATH, HEX), ROW(swapoff, PATH), ROW(riscv_flush_icache, HEX, HEX, HEX),
    ROW(riscv_hwprobe, INOUT_ARRAY(struct hwprobe_pair, 1), LONG, LONG, IN_BYTES(2), HEX),

    /* System V */
    ROW(shmget, INT, LONG, WORDS(ipc)), ROW(shmat, INT, ADDRESS, HEX), ROW(shmdt, ADDRESS),
    ROW(shmctl, INT, INT, SELECTED(1, of_shmctl)), ROW(semget, INT, INT, WORDS(ipc)),
    ROW(semctl, INT, INT, INT, SELECTED(2, of_semctl)),
    ROW(semop, INT, IN_ARRAY(struct sembuf_bytes, 2), LONG),
    ROW(semtimedop, INT, IN_ARRAY(struct sembuf_bytes, 2), LONG, TIME_IN),
    ROW(msgget, INT, WORDS(ipc)), ROW(msgsnd, INT, MESSAGE_TEXT(OS_IN, 2), LONG, HEX),
    ROW(msgrcv, INT, MESSAGE_TEXT(OS_OUT, 2), LONG, LONG, HEX),
    ROW(msgctl, INT, INT, SELECTED(1, of_msgctl)),

    /* the machine */
    ROW(uname, OUT(struct os_utsname)), ROW(sysinfo, OUT(struct os_sysinfo)),
    ROW(getrandom, OUT_BYTES(1), LONG, HEX), ROW(getcpu, OUT_INTS(1), OUT_INTS(1), HEX),
    ROW(sethostname, IN_BYTES(1), LONG), ROW(setdomainname, IN_BYTES(1), LONG),

    /* sockets */
    ROW(socket, WORDS(family), WORDS(socket), INT),
    ROW(socketpair, WORDS(family), WORDS(socket), INT, OUT_INTS(2)),
    ROW(bind, FD, IN_BYTES(2), INT), ROW(listen, FD, INT),
    ROW(accept, FD, OUT_RESULT(2), INOUT_INTS(1)),
    ROW(accept4, FD, OUT_RESULT(2), INOUT_INTS(1), FLAGS),
    ROW(connect, FD, IN_BYTES(2), INT), ROW(shutdown, FD, INT),
    ROW(getsockname, FD, OUT_RESULT(2), INOUT_INTS(1)),
    ROW(getpeername, FD, OUT_RESULT(2), INOUT_INTS(1)),
    ROW(sendto, FD, IN_BYTES(2), LONG, HEX, IN_BYTES(5), INT),
    ROW(recvfrom, FD, OUT_BYTES(2), LONG, HEX, OUT_RESULT(5), INOUT_INTS(1)),
    ROW(sendmsg, FD, FIXED(OS_ARG_MESSAGE, OS_IN, 56), HEX),
    ROW(recvmsg, FD, FIXED(OS_ARG_MESSAGE, OS_OUT, 56), HEX),
    ROW(sendmmsg, FD, COUNT(OS_ARG_MESSAGES, OS_IN, 64, 2), INT, HEX),
    ROW(recvmmsg, FD, COUNT(OS_ARG_MESSAGES, OS_OUT, 64, 2), INT, HEX, TIME_IN),
    ROW(setsockopt, FD, INT, INT, IN_BYTES(4), INT),
    ROW(getsockopt, FD, INT, INT, OUT_RESULT(4), INOUT_INTS(1)),
};
/* clang-format on */

const struct os_argument *os_call_selected(const struct os_argument *argument,
                                           const uint64_t args[OS_CALL_ARGS]) {
    for (const struct os_selected *row = argument->selected; row->argument.kind; row++)
        if (row->command == (uint32_t)args[argument->by])
            return &row->argument;
    return NULL;
}

/* unit * count, no more than an address space. */
static uint64_t times(uint64_t unit, uint64_t count) {
    return unit && count > OS_USER_HIGH / unit ? OS_USER_HIGH : unit * count;
}

uint64_t os_call_bytes(const struct os_argument *argument, const uint64_t args[OS_CALL_ARGS],
                       int32_t value) {
    uint64_t by = args[argument->by];
    switch (argument->form) {
    case OS_SIZE_COUNT:
        return argument->head + times(argument->unit, by);
    case OS_SIZE_RESULT:
        return value > 0 ? (uint64_t)value : 0;
    case OS_SIZE_BITS:
        return ((by & UINT32_MAX) + 63) / 64 * 8;
    case OS_SIZE_PAGES:
        return times(argument->unit, by / QUIRE_PAGE_SIZE + 1);
    default:
        return argument->unit;
    }
}
