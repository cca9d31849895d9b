/* calls.h: the system calls, by the file that has them. Each is os_sys_NAME(task, arguments).
 *
 * A handler returns the value, -errno, OS_WAIT or OS_NO_RETURN. The table from numbers to handlers
 * is in syscalls.c.
 */
#ifndef QUIRE_OS_CALLS_H
#define QUIRE_OS_CALLS_H

#include "os/kernel.h"

#define OS_CALL(name) int64_t os_sys_##name(struct os_task *task, const uint64_t args[6])

/* clang-format off */
/* process.c, exec.c, wait.c */
OS_CALL(clone); OS_CALL(clone3); OS_CALL(execve); OS_CALL(exit); OS_CALL(exit_group);
OS_CALL(wait4); OS_CALL(waitid);
OS_CALL(getpid); OS_CALL(getppid); OS_CALL(gettid); OS_CALL(getpgid); OS_CALL(setpgid);
OS_CALL(getsid); OS_CALL(setsid);
OS_CALL(getuid); OS_CALL(geteuid); OS_CALL(getgid); OS_CALL(getegid); OS_CALL(getgroups);
OS_CALL(getresuid); OS_CALL(getresgid);
OS_CALL(set_tid_address); OS_CALL(set_robust_list); OS_CALL(get_robust_list); OS_CALL(prctl);
OS_CALL(personality);
OS_CALL(sched_yield); OS_CALL(sched_getaffinity); OS_CALL(sched_setaffinity);
OS_CALL(sched_getscheduler); OS_CALL(sched_getparam);
OS_CALL(getpriority); OS_CALL(setpriority); OS_CALL(getrusage); OS_CALL(prlimit64);
OS_CALL(getrlimit); OS_CALL(setrlimit);
OS_CALL(setuid); OS_CALL(setgid); OS_CALL(setreuid); OS_CALL(setregid); OS_CALL(setresuid);
OS_CALL(setresgid); OS_CALL(setgroups);
OS_CALL(sched_setscheduler); OS_CALL(sched_get_priority_max); OS_CALL(sched_get_priority_min);
OS_CALL(futex); OS_CALL(rseq); OS_CALL(membarrier); OS_CALL(riscv_flush_icache);
OS_CALL(riscv_hwprobe);
/* signal.c */
OS_CALL(rt_sigaction); OS_CALL(rt_sigprocmask); OS_CALL(rt_sigreturn); OS_CALL(rt_sigsuspend);
OS_CALL(rt_sigpending); OS_CALL(rt_sigtimedwait);
OS_CALL(sigaltstack); OS_CALL(kill); OS_CALL(tkill); OS_CALL(tgkill); OS_CALL(setitimer);
OS_CALL(getitimer);
OS_CALL(rt_sigqueueinfo);
/* memory.c */
OS_CALL(brk); OS_CALL(mmap); OS_CALL(munmap); OS_CALL(mprotect); OS_CALL(mremap); OS_CALL(madvise);
OS_CALL(mincore); OS_CALL(msync); OS_CALL(process_madvise);
OS_CALL(mlock); OS_CALL(munlock); OS_CALL(mlockall); OS_CALL(munlockall); OS_CALL(mlock2);
/* swap.c */
OS_CALL(swapon); OS_CALL(swapoff);
/* shm.c */
OS_CALL(shmget); OS_CALL(shmat); OS_CALL(shmdt); OS_CALL(shmctl);
/* time.c, system.c */
OS_CALL(clock_gettime); OS_CALL(clock_getres); OS_CALL(clock_settime); OS_CALL(gettimeofday);
OS_CALL(nanosleep); OS_CALL(clock_nanosleep); OS_CALL(times);
OS_CALL(uname); OS_CALL(sysinfo); OS_CALL(getrandom); OS_CALL(getcpu);
/* files: fs_*.c */
OS_CALL(openat); OS_CALL(openat2); OS_CALL(close); OS_CALL(close_range); OS_CALL(dup);
OS_CALL(dup3); OS_CALL(fcntl); OS_CALL(flock);
OS_CALL(read); OS_CALL(write); OS_CALL(readv); OS_CALL(writev); OS_CALL(pread64);
OS_CALL(pwrite64); OS_CALL(preadv); OS_CALL(pwritev);
OS_CALL(lseek); OS_CALL(sendfile); OS_CALL(copy_file_range); OS_CALL(ftruncate); OS_CALL(truncate);
OS_CALL(fallocate);
OS_CALL(fsync); OS_CALL(fdatasync); OS_CALL(sync); OS_CALL(fadvise64); OS_CALL(readahead);
OS_CALL(newfstatat); OS_CALL(fstat); OS_CALL(statx); OS_CALL(statfs); OS_CALL(fstatfs);
OS_CALL(faccessat); OS_CALL(faccessat2);
OS_CALL(readlinkat); OS_CALL(getdents64); OS_CALL(getcwd); OS_CALL(chdir); OS_CALL(fchdir);
OS_CALL(umask);
OS_CALL(mkdirat); OS_CALL(unlinkat); OS_CALL(renameat2); OS_CALL(linkat); OS_CALL(symlinkat);
OS_CALL(mknodat);
OS_CALL(fchmod); OS_CALL(fchmodat); OS_CALL(fchown); OS_CALL(fchownat); OS_CALL(utimensat);
OS_CALL(pipe2); OS_CALL(ppoll); OS_CALL(pselect6); OS_CALL(ioctl); OS_CALL(memfd_create);
OS_CALL(eventfd2);
OS_CALL(epoll_create1); OS_CALL(epoll_ctl); OS_CALL(epoll_pwait);
OS_CALL(getxattr); OS_CALL(lgetxattr); OS_CALL(fgetxattr); OS_CALL(listxattr);
OS_CALL(timerfd_create); OS_CALL(timerfd_settime); OS_CALL(timerfd_gettime);
OS_CALL(fchmodat2);
OS_CALL(llistxattr); OS_CALL(flistxattr); OS_CALL(setxattr); OS_CALL(lsetxattr);
OS_CALL(fsetxattr); OS_CALL(removexattr); OS_CALL(lremovexattr); OS_CALL(fremovexattr);
/* fs_signal.c */
OS_CALL(signalfd4); OS_CALL(pidfd_open); OS_CALL(pidfd_send_signal); OS_CALL(inotify_init1);
OS_CALL(inotify_add_watch); OS_CALL(inotify_rm_watch);
/* timers.c, ipc_sem.c, ipc_msg.c */
OS_CALL(timer_create); OS_CALL(timer_settime); OS_CALL(timer_gettime); OS_CALL(timer_getoverrun);
OS_CALL(timer_delete);
OS_CALL(semget); OS_CALL(semop); OS_CALL(semtimedop); OS_CALL(semctl);
OS_CALL(msgget); OS_CALL(msgsnd); OS_CALL(msgrcv); OS_CALL(msgctl);
/* fs_io.c, fs_epoll.c, fs_size.c, ids.c, sigcalls.c */
OS_CALL(preadv2); OS_CALL(pwritev2); OS_CALL(splice); OS_CALL(epoll_pwait2);
OS_CALL(sync_file_range); OS_CALL(syncfs); OS_CALL(capget); OS_CALL(capset);
OS_CALL(sched_setparam); OS_CALL(sched_rr_get_interval); OS_CALL(sched_setattr);
OS_CALL(sched_getattr); OS_CALL(setfsuid); OS_CALL(setfsgid); OS_CALL(sethostname);
OS_CALL(setdomainname); OS_CALL(rt_tgsigqueueinfo);
/* sock_*.c */
OS_CALL(socket); OS_CALL(socketpair); OS_CALL(bind); OS_CALL(listen); OS_CALL(accept);
OS_CALL(accept4); OS_CALL(connect); OS_CALL(shutdown); OS_CALL(getsockname); OS_CALL(getpeername);
OS_CALL(sendto); OS_CALL(sendmsg); OS_CALL(sendmmsg); OS_CALL(recvfrom); OS_CALL(recvmsg);
OS_CALL(recvmmsg); OS_CALL(getsockopt); OS_CALL(setsockopt);
/* clang-format on */

#endif
