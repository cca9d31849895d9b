/* kernel.h: what the files of os/ share: processes, tasks, files, and how a call waits.
 *
 * A call that must wait returns OS_WAIT after it has said for what (os_wait_on). The task sleeps
 * and the whole call is made again when it is woken: every call is written so that repeating it is
 * right. There are no kernel stacks, so there is nothing to lose and the order is deterministic.
 *
 * Signals and waiting: when a call answers OS_WAIT while a signal is there to be taken, os.c makes
 * -EINTR of it, and decides by the signal's handler (SA_RESTART) and the call whether the program
 * sees that or the call is made again afterwards. So a handler need not look for signals, unless it
 * has moved bytes already: then it asks os_signal_pending before it sleeps and returns their count.
 */
#ifndef QUIRE_OS_KERNEL_H
#define QUIRE_OS_KERNEL_H

#include <quire/space.h>
#include <quire/view.h>

#include "machine/soft/soft.h"
#include "os/abi.h"
#include "os/os.h"

/* What a system call returns: a value, -errno of Linux (OS_E...: abi.h), or: */
#define OS_WAIT      INT64_MIN       /* asleep: make the call again when woken */
#define OS_NO_RETURN (INT64_MIN + 1) /* registers are set (exec, sigreturn) or the task is gone */

#define OS_NSIG         64
#define OS_SIGRTMIN     32    /* from here on, instances of one signal queue */
#define OS_SIGQUEUE_MAX 1024u /* of one process; RLIMIT_SIGPENDING can only lower it */
#define OS_USER_HIGH    (UINT64_C(1) << 47) /* of an Sv48 Linux: half of 2^48 */
#define OS_SWAPPINESS   60                  /* Linux's default */
#define OS_PAGE_CLUSTER 3                   /* Linux's default: 8 pages */
#define OS_NFILES_MAX   1024                /* RLIMIT_NOFILE */

struct os_file;
struct os_process;
struct os_trace; /* call_trace.c */

/* ---- tasks: what the processor runs ---------------------------------------------------------- */

enum os_task_state { OS_RUNNING, OS_SLEEPING, OS_STOPPED, OS_ZOMBIE };

struct os_signal_action {
    uint64_t handler, flags, mask;
};

struct os_signal_info { /* what a handler with SA_SIGINFO sees */
    int32_t signo, code, error, pid, uid, status;
    uint64_t address;
};

/* A real-time signal that was sent while one of the same number was pending. */
struct os_signal_queued {
    struct os_signal_queued *next;
    struct os_task *task; /* for whom; NULL: the process as a whole */
    struct os_signal_info info;
};

/* One thread. Today a process has one; clone with CLONE_THREAD makes more. */
struct os_task {
    struct os *os;
    struct os_process *process;
    struct os_task *next; /* in the process */
    struct quire_cpu cpu;
    int tid;
    enum os_task_state state;
    uint64_t affinity; /* a bit for each hart that it may use; at least one that there is */
    unsigned hart;     /* where it runs, or ran last */
    bool placed;       /* it has that hart now */
    uint64_t ready_ns; /* it can run since then: a hart whose clock is behind may not take it yet */
    /* Sleeping: woken by os_wake(channel) or when the clock reaches wake_ns. */
    const void *channel;
    uint64_t wake_ns;     /* UINT64_MAX: no limit of time */
    bool in_call;         /* pc is at an ecall whose handler answered OS_WAIT */
    bool got_eintr;       /* and then -EINTR: signals decide before it is made again */
    bool restarted;       /* this is a repetition of the call that slept */
    uint64_t deadline_ns; /* of the call in progress, set at its first run, kept over repetitions */
    uint64_t progress;    /* bytes that the call in progress has already moved */
    uint64_t signal_mask, pending, saved_mask;
    bool restore_mask; /* ppoll, sigsuspend: saved_mask comes back after the handler */
    uint64_t altstack_base, altstack_bytes;
    uint32_t altstack_flags;
    uint64_t clear_tid_va, robust_list_va;
    int vfork_pid; /* sleeps in vfork for this child; 0: no */
    uint64_t cpu_ns;
    /* futex.c: what a sleeper waits for, and in which order they came */
    struct os_futex_key {
        const void *place; /* a memory object, or the space for private memory */
        uint64_t offset;
    } futex;
    uint32_t futex_bits;
    uint64_t futex_ticket;
    int sem_waits; /* asleep in semop: for which of the set, and whether for its being 0 */
    bool sem_waits_for_zero;
    uint64_t wait_set; /* rt_sigtimedwait: blocked signals that wake it all the same */
    bool futex_waiting, futex_woken;
    struct os_signal_info infos[OS_NSIG + 1]; /* of signals sent to this task alone */
    struct os_trace *trace; /* what is said so far of the call that it is in; NULL: nothing */
};

struct os_memory; /* a space and how many processes use it (vfork): process.h */

/* A process: address space, files, signal handlers, place in the family. */
struct os_process {
    struct os *os;
    int pid, parent_pid, group, session;
    uint64_t serial;         /* of all processes that ever were: pids are used again */
    struct os_process *next; /* in the process table, by pid */
    struct os_task *tasks;
    struct quire_space *space; /* NULL: gone (a zombie, or killed for want of memory) */
    struct os_memory *memory;
    struct os_signal_action actions[OS_NSIG + 1];
    struct os_signal_info infos[OS_NSIG + 1];
    uint64_t pending;               /* for the process as a whole */
    struct os_signal_queued *queue; /* in the order they were sent; the first is not in it */
    unsigned nqueued;
    bool zombie, oom_killed;
    bool reaped;     /* waited for: os.c frees it after the call */
    bool exiting;    /* exit_group or a fatal signal has begun: its tasks run no more */
    int exit_signal; /* what the parent gets: SIGCHLD, or 0 */
    bool stopped, stop_unreported, continue_unreported; /* job control, for wait4 */
    int stop_signal;
    int nice;                            /* kept and told, but turns are equal */
    bool has_execed;                     /* setpgid on it is refused then */
    struct os_rusage usage, child_usage; /* at its end; of the children waited for */
    struct os_timer {
        uint64_t next_ns, interval_ns; /* 0: not armed */
    } timers[OS_ITIMERS];
    struct os_posix_timer *posix_timers; /* timers.c */
    struct os_sem_undo *sem_undos;       /* ipc_sem.c */
    int exit_status;                     /* as wait4 gives it: code << 8, or the signal */
    uint64_t start_ns, cpu_ns, child_cpu_ns;
    char name[16];      /* /proc/PID/comm */
    char *exe;          /* path as the program sees it */
    char *command_line; /* arguments, each ended by 0 */
    size_t command_line_bytes;
    char *environment; /* as it was at exec; variables, each ended by 0 */
    size_t environment_bytes;
    uint64_t rlimits[OS_RLIMITS][2]; /* soft, hard */
    /* ---- owned by files.c ---- */
    struct os_file_table *files; /* NULL in a zombie */
    char *cwd;                   /* as the program sees it, absolute */
    uint32_t umask;
    /* ---- vfork ---- */
    struct os_task *vfork_parent; /* sleeps until we exec or exit */
};

/* Sleep: the calling handler returns OS_WAIT next. wake_ns UINT64_MAX: no time-out. channel NULL:
 * woken by every os_wake (poll). */
void os_wait_on(struct os_task *task, const void *channel, uint64_t wake_ns);
/* Another task is running, or will be woken by the clock: a call that could also block the host
 * must not do so then, but sleep for a short time and look again. */
bool os_others_can_run(const struct os_task *task);
/* Something changed: tasks that sleep on it, and those that sleep on everything, run again. */
void os_wake(struct os *os, const void *channel);
/* Nanoseconds of the programs' clock: virtual, or the host's with --clock host. */
uint64_t os_now_ns(const struct os *os);      /* CLOCK_MONOTONIC */
uint64_t os_realtime_ns(const struct os *os); /* CLOCK_REALTIME; virtual: from a fixed date on */
struct os_timespec os_timespec_of(uint64_t ns);
/* What a timer is set to, at most about 73 years; false: it makes no sense. */
bool os_timer_ns(const struct os_timespec *time, uint64_t *ns);
struct os_process *os_process_by_pid(struct os *os, int pid);
struct os_process *os_process_first(struct os *os); /* then ->next, ascending pid */
/* Random bytes from the run's seed. */
void os_random(struct os *os, void *bytes, size_t nbytes);
/* Send a signal to a process or one of its tasks; wakes what must run. False: the queue of
 * real-time signals is full and this one is lost. */
bool os_signal_process(struct os_process *process, int signal, const struct os_signal_info *info);
bool os_signal_task(struct os_task *task, int signal, const struct os_signal_info *info);
/* A signal is there that this task would take now: waiting calls then return -EINTR. */
bool os_signal_pending(const struct os_task *task);
/* The open-file side of the configuration (root, binds). */
const struct os_config *os_config(const struct os *os);
struct os_fs *os_fs(struct os *os); /* the file system's state: root, binds, object table */

/* ---- user memory ----------------------------------------------------------------------------- */

/* 0, or -EFAULT if any byte could not be copied. */
int64_t os_copy_from_user(struct os_task *task, void *to, uint64_t from_va, size_t nbytes);
int64_t os_copy_to_user(struct os_task *task, uint64_t to_va, const void *from, size_t nbytes);
/* A string ended by 0: its length, -EFAULT, or -ENAMETOOLONG if it does not fit in capacity. */
int64_t os_strncpy_from_user(struct os_task *task, char *to, uint64_t from_va, size_t capacity);

/* ---- files: fs.h has the rest ---------------------------------------------------------------- */

/* What process code needs of files. */
struct os_fs *os_fs_create(struct os *os, const struct os_config *config, char *message,
                           size_t capacity);
void os_fs_destroy(struct os_fs *fs);
enum os_files_init { OS_FILES_STDIO };
/* Table with the host's 0, 1, 2; NULL when the host has no memory. */
struct os_file_table *os_files_create_stdio(struct os *os);
struct os_file_table *os_files_copy(struct os_file_table *files);  /* fork: same open files */
struct os_file_table *os_files_share(struct os_file_table *files); /* CLONE_FILES */
void os_files_release(struct os_file_table *files);
void os_files_close_on_exec(struct os_file_table *files);
/* Timer files that have rung wake who waits; the next moment at which one will. */
void os_files_timers_run(struct os_fs *fs);
uint64_t os_files_timers_next(const struct os_fs *fs);

/* Files that show signals and ends of processes (fs_signal.c): one was sent; one has ended. */
void os_files_signalled(struct os_fs *fs, int signal);
void os_files_process_ended(struct os_fs *fs, int pid);
/* A descriptor for a process (close-on-exec), and back: 0, -EBADF, -ESRCH. */
int64_t os_pidfd_new(struct os_task *task, const struct os_process *process, uint32_t flags);
int64_t os_pidfd_process(struct os_task *task, uint64_t fd, struct os_process **process);

/* The host's terminal is about to be written to, or (NULL) read or set up (visit.c). */
void os_console_touched(struct os *os, const char *bytes, size_t nbytes);
/* The group in the foreground of the host's terminal (fs_tty.c). */
int os_console_group(struct os *os);
/* The leader of a session ends: its pseudo-terminal, if any, is nobody's. */
void os_pty_leader_exits(struct os_fs *fs, const struct os_process *leader);
/* The device number of a session's pseudo-terminal and its group in the foreground; 0: none. */
int os_pty_device(const struct os_fs *fs, int session, int *group);

/* Open a program to be loaded: resolves links as the program sees them. Returns 0 and a file, or
 * -errno. */
int64_t os_open_program(struct os_process *process, const char *path, struct os_file **out);
void os_file_release(struct os_file *file);
/* Read at an offset into kernel memory; bytes read, fewer only at the end; -errno. */
int64_t os_file_pread(struct os_file *file, void *to, size_t nbytes, uint64_t offset);
uint64_t os_file_size(struct os_file *file);
const char *os_file_path(const struct os_file *file);   /* as the program sees it */
bool os_file_is_executable(const struct os_file *file); /* a regular file with an x bit */
/* Has any process the same file open to be written to? Then it is not run (ETXTBSY). */
bool os_file_is_written(const struct os_file *file);
/* What the host calls the file; and is that the program of any process? Then it is not opened to be
 * written to, nor cut (ETXTBSY). */
void os_file_identity(const struct os_file *file, uint64_t *device, uint64_t *inode);
bool os_is_running(const struct os *os, uint64_t device, uint64_t inode);
/* The memory object of a file for mmap, with a reference for the caller. -ENODEV if it can't be
 * mapped. The same host file gives the same object as long as anyone uses it. */
int64_t os_file_object(struct os_file *file, struct quire_object **out);
/* The open file of a descriptor (borrowed), NULL if there is none; and how it was opened. */
struct os_file *os_file_of(struct os_process *process, int fd);
bool os_file_readable(const struct os_file *file);
bool os_file_writable(const struct os_file *file);

#endif
