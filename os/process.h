/* process.h: what the process side of os/ shares among its own files; fs_*.c need not read it. */
#ifndef QUIRE_OS_PROCESS_H
#define QUIRE_OS_PROCESS_H

#include <signal.h>
#include <stdatomic.h>

#include "os/kernel.h"

/* ---- the whole ------------------------------------------------------------------------------- */

struct os {
    struct os_config config; /* a deep copy: os_destroy frees it */
    struct quire_machine *machine;
    struct quire *quire;
    struct os_fs *fs;
    struct os_check *check; /* the buffers of the call at work: call_check.c; NULL: not asked for */
    struct os_process *processes; /* ascending pid; zombies too */
    struct os_process *init;      /* process 1 */
    struct os_task *current;      /* whose call or trap is being answered; NULL: none */
    int last_pid;                 /* process and thread ids come from one counter */
    unsigned nharts;
    struct os_hart *hart; /* at work: the clock and the TLBs are its */
    struct os_hart {      /* harts.c */
        unsigned number;
        struct os_task *task;       /* NULL: nothing to do */
        uint64_t left;              /* instructions of its turn */
        int cursor_pid, cursor_tid; /* whom it took last: round robin goes on behind it */
    } harts[QUIRE_SOFT_HARTS];
    bool sweep;                   /* there are dead tasks or reaped processes to free */
    uint64_t random_state;
    uint64_t futex_tickets;
    uint64_t host_start_ns;             /* host clock at creation */
    struct os_shm *segments;            /* System V shared memory: shm.c */
    struct os_ipc *semaphores, *queues; /* and the others: ipc_*.c */
    unsigned ipc_sequence;
    uint64_t serials; /* processes that ever were */
    unsigned shm_sequence, shm_last_index;
    bool shm_created;          /* one was, ever: the last index means something */
    struct quire_object *vdso; /* the page with the signal trampoline */
    volatile sig_atomic_t interrupts[OS_NSIG + 1]; /* set by os_interrupt */
    volatile sig_atomic_t interrupted;
    void (*visit)(void *context); /* visit.c; NULL: nobody will come */
    void *visit_context;
    atomic_bool visit_asked; /* by any thread */
    void (*console_touch)(void *context, const char *bytes, size_t nbytes); /* or NULL */
    void *console_context;
    struct os_summary summary;
    struct os_watch watch; /* context NULL: nobody watches (watch.c) */
    struct { /* swap.c: which swap devices are which files of the host */
        bool file;
        uint64_t host_device, inode;
    } swaps[OS_SWAPS_MAX];
};

/* visit.c: somebody asked for a moment, and this is one. => between two turns */
void os_visit_now(struct os *os);

/* swap.c: the device is this file. */
void os_swap_note(struct os *os, unsigned device, int fd);

/* ---- limits and addresses -------------------------------------------------------------------- */

/* User addresses go up to OS_USER_HIGH (kernel.h), and nothing is below vm.mmap_min_addr. */
#define OS_USER_LOW UINT64_C(0x10000)
/* Where Linux puts position-independent programs: two thirds up (ELF_ET_DYN_BASE). */
#define OS_PIE_BASE UINT64_C(0x555555554000)
/* Linux keeps the stack this far from what lies below (stack_guard_gap of 256 pages). */
#define OS_STACK_GAP_BYTES     (UINT64_C(1) << 20)
#define OS_STACK_LIMIT_DEFAULT (UINT64_C(8) << 20)
#define OS_OOM_NEVER           (-1000) /* oom_score_adj of who is never killed */
#define OS_PID_MAX             32768   /* kernel.pid_max of a small machine */

/* ---- memory of a process: memory.c ----------------------------------------------------------- */

/* One space and the processes in it: two between vfork and exec. It is the space's owner, so that
 * the OOM killer's choice names all of them. */
struct os_memory {
    struct os *os;
    struct quire_space *space; /* NULL: destroyed */
    unsigned users;
    uint64_t trampoline_va;         /* where a signal handler returns to */
    uint64_t exe_device, exe_inode; /* of the program's file, the host's numbers */
};

/* A new empty space with this limit of stack; NULL: no memory. users is 1. */
struct os_memory *os_memory_create(struct os *os, uint64_t stack_limit_bytes);
/* Copy-on-write copy; NULL: no memory. */
struct os_memory *os_memory_fork(struct os *os, struct os_memory *parent);
/* One user less; the last one destroys the space. */
void os_memory_release(struct os_memory *memory);
/* Give the process this memory (its reference moves); the old one is released. */
void os_memory_adopt(struct os_process *process, struct os_memory *memory);
/* RLIMIT_AS, _DATA and _STACK of the process are its space's from now on. */
void os_memory_apply_limits(struct os_process *process);
/* May the process lock memory at all (RLIMIT_MEMLOCK, CAP_IPC_LOCK)? */
bool os_memory_may_lock(const struct os_process *process);
/* Would so much more locked memory be more than RLIMIT_MEMLOCK? */
bool os_memory_over_lock_limit(struct os_process *process, uint64_t bytes);
/* -errno of Linux for a status of the manager, as memory calls report it. */
int64_t os_errno(enum quire_status status);

/* ---- System V shared memory: shm.c ----------------------------------------------------------- */

struct os_shm;
struct os_text;
/* Regions have gone: segments that were only waiting for that go too. O(segments). */
void os_shm_sweep(struct os *os);
/* The space is about to go with all that is attached in it. */
void os_shm_detach_all(struct os *os, struct quire_space *space);
void os_shm_destroy_all(struct os *os);
void os_shm_text(struct os *os, struct os_text *text); /* /proc/sysvipc/shm */

/* ---- System V semaphores and message queues: ipc_sem.c, ipc_msg.c; timers: timers.c ---------- */

void os_sem_exit(struct os_process *process); /* carries out what SEM_UNDO promised */
void os_sem_destroy_all(struct os *os);
void os_msg_destroy_all(struct os *os);
void os_posix_timers_run(struct os_process *process, uint64_t now_ns);
uint64_t os_posix_timers_next(const struct os_process *process);
void os_posix_timers_drop(struct os_process *process);

/* ---- programs: exec.c, elf.c, stack.c -------------------------------------------------------- */

/* A list of strings in kernel memory (argv, envp). */
struct os_strings {
    char **items;
    size_t count, capacity;
    size_t bytes; /* of all, with their final zeros */
};
bool os_strings_add(struct os_strings *strings, const char *text, size_t length);
void os_strings_free(struct os_strings *strings);

/* Why a program cannot be loaded: one line for people, beside the -errno for programs. */
struct os_load_error {
    char message[512];
};

struct os_segment {
    uint64_t va, file_bytes, memory_bytes, offset;
    unsigned prot;
};
#define OS_SEGMENTS_MAX 64
struct os_elf {
    struct os_segment segments[OS_SEGMENTS_MAX];
    unsigned nsegments;
    bool position_independent, has_interpreter, executable_stack;
    uint64_t entry, low, high; /* as linked; the bias is added when it is mapped */
    uint64_t headers_va;       /* of the program headers, 0 if not in memory */
    unsigned nheaders;
    uint64_t align;
    char interpreter[OS_PATH_MAX];
};
/* Read and check all that is used of the file's headers. 0 or -errno with a message. */
int64_t os_elf_parse(struct os_file *file, struct os_elf *elf, struct os_load_error *error);
/* Map the segments at bias. 0 or -errno with a message. */
int64_t os_elf_map(struct quire_space *space, struct os_file *file, const struct os_elf *elf,
                   uint64_t bias, struct os_load_error *error);

/* What the new program finds on its stack. */
struct os_stack_image {
    const struct os_strings *argv, *envp;
    const char *filename; /* AT_EXECFN */
    uint64_t headers_va, nheaders, base_va, entry_va;
    bool executable;
};
/* Map the stack below OS_USER_HIGH and fill it. *sp is where it begins. 0 or -errno. */
int64_t os_stack_build(struct os *os, struct quire_space *space, uint64_t stack_limit_bytes,
                       const struct os_stack_image *image, uint64_t *sp);

/* Replace the program of a process; task becomes its only one. On failure nothing has changed and
 * error tells why. */
int64_t os_exec(struct os_task *task, const char *path, struct os_strings *argv,
                struct os_strings *envp, struct os_load_error *error);

/* ---- processes: process.c, wait.c ------------------------------------------------------------ */

/* Process 1 with standard files and no program yet. NULL: no memory on the host. */
struct os_process *os_process_create_first(struct os *os);
struct os_task *os_task_create(struct os_process *process, int tid);
struct os_task *os_task_by_tid(struct os *os, int tid);
/* End a process: status as wait4 shows it. It becomes a zombie. */
void os_process_exit(struct os_process *process, int status);
/* End one task; with the last one the process ends with this status. */
void os_task_exit(struct os_task *task, int status);
/* All tasks but this one end (exec). */
void os_process_keep_only(struct os_task *task);
/* Whoever sleeps in vfork for this process goes on. */
void os_process_release_vfork(struct os_process *process);
/* Free what has died: between two calls only. */
void os_sweep(struct os *os);
void os_process_free(struct os_process *process);
int os_new_pid(struct os *os);
/* What the process itself used so far. */
void os_process_usage(const struct os_process *process, struct os_rusage *usage);
void os_rusage_add(struct os_rusage *sum, const struct os_rusage *part);
/* A child has changed state: tell and wake its parent. */
void os_tell_parent(struct os_process *child, int code, int status);

/* ---- signals: signal.c ----------------------------------------------------------------------- */

enum os_default_action {
    OS_ACT_TERMINATE,
    OS_ACT_CORE,
    OS_ACT_IGNORE,
    OS_ACT_STOP,
    OS_ACT_CONTINUE
};
enum os_default_action os_signal_default(int signal);
const char *os_signal_words(int signal); /* "Segmentation fault" */
/* Act on the signals that are there. False: the task must not run now (it is dead or stopped).
 * interrupted: its call answered -EINTR, and its registers still are those of the ecall. */
bool os_signal_take(struct os_task *task, bool interrupted);
/* Nobody outside the group could continue it: it is not stopped by its terminal. */
bool os_group_is_orphaned(struct os_process *process);
/* A signal that the task brought on itself: it can be neither blocked nor ignored. */
void os_signal_force(struct os_task *task, int signal, const struct os_signal_info *info);
/* A fresh program: handlers back to the default, ignored ones stay. */
void os_signal_exec(struct os_task *task);
/* Take a pending signal of the task or its process out of its set. => it is in one of them */
void os_signal_dequeue(struct os_task *task, int signal, struct os_signal_info *info);
/* Drop what is queued for a task (NULL: for all), of one signal (0: of all). */
void os_signal_forget(struct os_process *process, const struct os_task *task, int signal);
/* Timers that have run out send their signals; the next moment at which one will. */
void os_timers_run(struct os *os, uint64_t now_ns);
uint64_t os_timers_next(const struct os *os);
static inline uint64_t os_signal_bit(int signal) {
    return UINT64_C(1) << (signal - 1);
}

/* ---- harts: harts.c -------------------------------------------------------------------------- */

/* Instructions of one turn: at a nanosecond each a tenth of a millisecond, so that the tick is
 * never late by much, and long enough that changing tasks costs nothing. */
#define OS_TURN_INSTRUCTIONS 100000

void os_harts_begin(struct os *os);
/* A bit for each hart of the machine. */
uint64_t os_harts_mask(const struct os *os);
/* Wake sleepers, give tasks to harts; the hart that works next is at work then. NULL: no task can
 * run; *first is the moment for which one sleeps. O(tasks + harts). */
struct os_hart *os_harts_next(struct os *os, uint64_t *first);
/* No hart has a task: their clocks go forward, but not beyond the one of them that is next. */
void os_harts_idle_until(struct os *os, uint64_t ns);
/* How many instructions the hart works now, and by its clock until when. */
uint64_t os_hart_step(const struct os *os, const struct os_hart *hart, uint64_t *until_ns);
/* The clock of the hart at work: when what is done now happens. */
uint64_t os_hart_now_ns(const struct os *os);
/* Tasks whose turn is over, or that cannot or may not go on where they are, leave their harts. */
void os_harts_release(struct os *os);

/* ---- running: sched.c, syscalls.c, futex.c, system.c, os.c ----------------------------------- */

void os_task_wake(struct os_task *task);
/* The moment that lies timeout (valid) ahead; a far one is UINT64_MAX / 2. */
uint64_t os_deadline(const struct os *os, const struct os_timespec *timeout);
/* Carry out, or repeat, the call that the task is at. */
void os_call(struct os_task *task);
/* May this call be made again after a handler with SA_RESTART? */
bool os_call_restartable(const struct os_task *task);
/* Wake up to count sleepers on a user address whose bits match. */
int64_t os_futex_wake(struct os_task *task, uint64_t va, int64_t count, uint32_t bits);
void os_robust_list_exit(struct os_task *task);
/* With --trace-calls (call_trace.c; without it they do nothing): a task dies, perhaps in the middle
 * of a call; a signal is delivered; a process ends, with its status as wait4 shows it. */
void os_watch_task_ends(struct os_task *task);
void os_watch_signal(struct os_task *task, int signal);
void os_watch_exit(struct os_process *process, int status);
void os_log(struct os *os, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
