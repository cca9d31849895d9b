/* syscalls.c: from a number in a7 to a handler, and from its answer to a0.
 *
 * It owns the table of calls and their counts. A handler that had to wait left the registers alone,
 * so the same ecall is simply answered again when the task is woken; nothing is kept on a stack.
 *
 *      a7 ─▶ table ─▶ handler(task, a0..a5) ─┬─ value, -errno ─▶ a0, pc past the ecall
 *                                            ├─ OS_WAIT       ─▶ asleep, in_call stays
 *                                            ├─ -EINTR        ─▶ in_call stays; signals decide
 *                                            └─ OS_NO_RETURN  ─▶ registers are someone else's
 * business
 *
 * I1  A task in user mode has in_call false.
 * I2  deadline_ns and progress belong to one call: they are reset at its first run only.
 *
 * An unknown number answers ENOSYS and is counted. Called by sched.c. Audit: os_summary.
 */
#include "os/calls.h"
#include "os/process.h"

struct call {
    const char *name;
    int64_t (*handler)(struct os_task *task, const uint64_t args[6]);
};

/* clang-format off */
#define CALL(name) [OS_SYS_##name] = {#name, os_sys_##name}
static const struct call calls[OS_SYSCALL_LIMIT] = {
    CALL(getxattr), CALL(lgetxattr), CALL(fgetxattr), CALL(listxattr), CALL(getcwd),
    CALL(timerfd_create), CALL(timerfd_settime), CALL(timerfd_gettime), CALL(getsockname),
    CALL(getpeername), CALL(fchmodat2),
    CALL(llistxattr), CALL(flistxattr), CALL(setxattr), CALL(lsetxattr), CALL(fsetxattr),
    CALL(removexattr), CALL(lremovexattr), CALL(fremovexattr),
    CALL(eventfd2), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_pwait), CALL(dup),
    CALL(dup3), CALL(fcntl), CALL(ioctl), CALL(flock), CALL(mknodat), CALL(mkdirat),
    CALL(unlinkat), CALL(symlinkat), CALL(linkat), CALL(statfs), CALL(fstatfs), CALL(truncate),
    CALL(ftruncate), CALL(fallocate), CALL(faccessat), CALL(chdir), CALL(fchdir), CALL(fchmod),
    CALL(fchmodat), CALL(fchownat), CALL(fchown), CALL(openat), CALL(close), CALL(pipe2),
    CALL(getdents64), CALL(lseek), CALL(read), CALL(write), CALL(readv), CALL(writev),
    CALL(pread64), CALL(pwrite64), CALL(preadv), CALL(pwritev), CALL(sendfile), CALL(pselect6),
    CALL(ppoll), CALL(readlinkat), CALL(newfstatat), CALL(fstat), CALL(sync), CALL(fsync),
    CALL(fdatasync), CALL(utimensat), CALL(personality), CALL(exit), CALL(exit_group),
    CALL(waitid), CALL(set_tid_address), CALL(futex), CALL(set_robust_list),
    CALL(get_robust_list), CALL(nanosleep), CALL(getitimer), CALL(setitimer),
    CALL(clock_settime), CALL(clock_gettime), CALL(clock_getres), CALL(clock_nanosleep),
    CALL(sched_setscheduler), CALL(sched_getscheduler), CALL(sched_getparam),
    CALL(sched_setaffinity), CALL(sched_getaffinity), CALL(sched_yield),
    CALL(sched_get_priority_max), CALL(sched_get_priority_min), CALL(kill), CALL(tkill),
    CALL(tgkill), CALL(sigaltstack), CALL(rt_sigsuspend), CALL(rt_sigaction),
    CALL(rt_sigprocmask), CALL(rt_sigpending), CALL(rt_sigtimedwait), CALL(rt_sigqueueinfo),
    CALL(rt_sigreturn), CALL(setpriority), CALL(getpriority), CALL(setregid), CALL(setgid),
    CALL(setreuid), CALL(setuid), CALL(setresuid), CALL(getresuid), CALL(setresgid),
    CALL(getresgid), CALL(times), CALL(setpgid), CALL(getpgid), CALL(getsid), CALL(setsid),
    CALL(getgroups), CALL(setgroups), CALL(uname), CALL(getrlimit), CALL(setrlimit),
    CALL(getrusage), CALL(umask), CALL(prctl), CALL(getcpu), CALL(gettimeofday), CALL(getpid),
    CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(gettid),
    CALL(sysinfo), CALL(shmget), CALL(shmctl), CALL(shmat), CALL(shmdt), CALL(socket),
    CALL(socketpair), CALL(bind), CALL(listen), CALL(accept), CALL(accept4), CALL(connect),
    CALL(shutdown), CALL(sendto), CALL(sendmsg), CALL(sendmmsg), CALL(recvfrom), CALL(recvmsg),
    CALL(recvmmsg), CALL(getsockopt), CALL(setsockopt), CALL(readahead), CALL(brk), CALL(munmap),
    CALL(mremap), CALL(clone), CALL(execve), CALL(mmap), CALL(fadvise64), CALL(swapon),
    CALL(swapoff), CALL(mprotect),
    CALL(msync), CALL(mlock), CALL(munlock), CALL(mlockall), CALL(munlockall), CALL(mincore),
    CALL(madvise), CALL(riscv_hwprobe), CALL(riscv_flush_icache), CALL(wait4), CALL(prlimit64),
    CALL(renameat2), CALL(getrandom), CALL(memfd_create), CALL(membarrier), CALL(mlock2),
    CALL(copy_file_range), CALL(statx), CALL(rseq), CALL(clone3), CALL(close_range),
    CALL(openat2), CALL(faccessat2), CALL(inotify_init1), CALL(inotify_add_watch),
    CALL(inotify_rm_watch), CALL(signalfd4), CALL(splice), CALL(sync_file_range), CALL(capget),
    CALL(capset), CALL(timer_create), CALL(timer_gettime), CALL(timer_getoverrun),
    CALL(timer_settime), CALL(timer_delete), CALL(sched_setparam), CALL(sched_rr_get_interval),
    CALL(setfsuid), CALL(setfsgid), CALL(sethostname), CALL(setdomainname), CALL(msgget),
    CALL(msgctl), CALL(msgrcv), CALL(msgsnd), CALL(semget), CALL(semctl), CALL(semtimedop),
    CALL(semop), CALL(rt_tgsigqueueinfo), CALL(syncfs), CALL(sched_setattr), CALL(sched_getattr),
    CALL(preadv2), CALL(pwritev2), CALL(pidfd_send_signal), CALL(pidfd_open), CALL(epoll_pwait2),
};
/* clang-format on */

static void count_unknown(struct os *os, uint64_t number) {
    struct os_summary *summary = &os->summary;
    unsigned slots = sizeof summary->unknown / sizeof summary->unknown[0];
    summary->unknown_syscalls++;
    for (unsigned i = 0; i < slots; i++) {
        if (summary->unknown[i].count == 0)
            summary->unknown[i].number = (unsigned)number;
        if (summary->unknown[i].number == (unsigned)number) {
            summary->unknown[i].count++;
            return;
        }
    }
}

/* Calls that say EINTR after a handler, whatever its flags (signal(7)): they have time-outs of
 * their own, or exist to be interrupted. */
bool os_call_restartable(const struct os_task *task) {
    switch (task->cpu.x[17]) {
    case OS_SYS_ppoll:
    case OS_SYS_pselect6:
    case OS_SYS_epoll_pwait:
    case OS_SYS_nanosleep:
    case OS_SYS_clock_nanosleep:
    case OS_SYS_rt_sigtimedwait:
    case OS_SYS_rt_sigsuspend:
    case OS_SYS_epoll_pwait2:
    case OS_SYS_semop:
    case OS_SYS_semtimedop:
    case OS_SYS_msgsnd:
    case OS_SYS_msgrcv:
        return false;
    case OS_SYS_futex: /* with a limit of time it is not */
        return task->deadline_ns == UINT64_MAX;
    default:
        return true;
    }
}

static void finish(struct os_task *task, int64_t result) {
    task->in_call = false;
    task->vfork_pid = 0;
    task->wait_set = 0;
    if (task->restore_mask) { /* ppoll and sigsuspend end without a handler */
        task->signal_mask = task->saved_mask;
        task->restore_mask = false;
    }
    task->cpu.x[10] = (uint64_t)result;
    task->cpu.pc += 4;
}

void os_call(struct os_task *task) {
    struct quire_cpu *cpu = &task->cpu;
    uint64_t number = cpu->x[17];
    const struct call *call = number < OS_SYSCALL_LIMIT ? &calls[number] : NULL;
    if (!task->in_call) { /* I2 */
        task->restarted = false;
        task->progress = 0;
        task->deadline_ns = UINT64_MAX;
        task->os->summary.syscalls++;
    }
    if (!call || !call->handler) {
        count_unknown(task->os, number);
        finish(task, -OS_ENOSYS);
        return;
    }
    uint64_t args[6] = {cpu->x[10], cpu->x[11], cpu->x[12], cpu->x[13], cpu->x[14], cpu->x[15]};
    task->in_call = true;
    int64_t result = call->handler(task, args);
    if (result == OS_NO_RETURN) {
        task->in_call = false;
        return;
    }
    if (result == OS_WAIT) {
        task->restarted = true;
        if (!os_signal_pending(task))
            return;
        result = -OS_EINTR;
    }
    os_task_wake(task);
    if (result == -OS_EINTR) {
        task->restarted = true;
        task->got_eintr = true;
        return;
    }
    finish(task, result);
}
