/* process.c: how processes and threads begin, end, and who their parents are.
 *
 * It owns the process table: a list in ascending order of pid, each process with a list of its
 * tasks. (A tree was rejected: parent_pid says it all, and tens of processes are searched in no
 * time.) There are no kernel stacks, so a new task is a copy of registers and nothing more.
 *
 *      clone ─┬─ CLONE_THREAD: a task more in this process
 *             ├─ CLONE_VM:     a process in the same memory (vfork, posix_spawn): the parent sleeps
 *             └─ else:         a process with a copy-on-write copy of the memory (fork)
 *
 *      exit ─▶ tasks zombie ─▶ memory, files go ─▶ zombie process ─▶ wait4 ─▶ reaped
 *                                                                               └▶ os_sweep frees
 *
 * I1  A process that is not a zombie has at least one task that is not.
 * I2  Structures are freed by os_sweep only, between two calls: a pointer found during a call stays
 *     good until its end.
 * I3  The parent of a process is in the table, or is 0 (process 1 only).
 *
 * Failures: EAGAIN (no pid, no host memory) and ENOMEM of clone; ending never fails. Called by the
 * table of calls, signal.c (deadly signals), os.c. Audit: os_destroy finds nothing left over.
 */
#include "os/process.h"
#include "os/calls.h"

#include <stdlib.h>
#include <string.h>

/* ---- the table ------------------------------------------------------------------------------- */

struct os_process *os_process_first(struct os *os) {
    return os->processes;
}

struct os_process *os_process_by_pid(struct os *os, int pid) {
    for (struct os_process *process = os->processes; process; process = process->next)
        if (process->pid == pid && !process->reaped)
            return process;
    return NULL;
}

struct os_task *os_task_by_tid(struct os *os, int tid) {
    for (struct os_process *process = os->processes; process; process = process->next)
        for (struct os_task *task = process->tasks; task; task = task->next)
            if (task->tid == tid && task->state != OS_ZOMBIE)
                return task;
    return NULL;
}

/* In use as a pid, a tid, a group or a session. */
static bool id_used(struct os *os, int id) {
    for (struct os_process *process = os->processes; process; process = process->next)
        if (process->pid == id || process->group == id || process->session == id)
            return true;
    return os_task_by_tid(os, id) != NULL;
}

/* The next free id; 0 when there is none. After the highest it begins again at 300, as Linux does.
 */
int os_new_pid(struct os *os) {
    for (int tries = 0; tries < OS_PID_MAX; tries++) {
        if (++os->last_pid >= OS_PID_MAX)
            os->last_pid = 300;
        if (!id_used(os, os->last_pid))
            return os->last_pid;
    }
    return 0;
}

static void insert_process(struct os *os, struct os_process *process) {
    process->serial = ++os->serials;
    struct os_process **link = &os->processes;
    while (*link && (*link)->pid < process->pid)
        link = &(*link)->next;
    process->next = *link;
    *link = process;
}

struct os_task *os_task_create(struct os_process *process, int tid) {
    struct os_task *task = calloc(1, sizeof *task);
    if (!task)
        return NULL;
    task->os = process->os;
    task->process = process;
    task->tid = tid;
    task->state = OS_RUNNING;
    task->affinity = os_harts_mask(process->os);
    task->wake_ns = task->deadline_ns = UINT64_MAX;
    task->altstack_flags = OS_SS_DISABLE;
    struct os_task **link = &process->tasks;
    while (*link)
        link = &(*link)->next;
    *link = task;
    return task;
}

/* RLIMIT_NPROC at first: Linux allows half of what would take an eighth of the RAM by kernel stacks
 * (fork_init), but a machine of a few megabytes should run a make -j4 all the same. It is what ends
 * a fork bomb; here it binds everybody, the host's root too. */
#define RAM_OF_A_PROCESS (UINT64_C(256) << 10)
#define PROCESSES_LEAST  128

static void set_first_limits(struct os_process *process) {
    for (unsigned i = 0; i < OS_RLIMITS; i++)
        process->rlimits[i][0] = process->rlimits[i][1] = OS_RLIM_INFINITY;
    uint64_t stack = process->os->config.stack_limit_bytes;
    process->rlimits[OS_RLIMIT_STACK][0] = stack ? stack : OS_STACK_LIMIT_DEFAULT;
    process->rlimits[OS_RLIMIT_CORE][0] = 0;
    uint64_t processes = process->os->config.ram_bytes / RAM_OF_A_PROCESS;
    if (processes < PROCESSES_LEAST)
        processes = PROCESSES_LEAST;
    if (processes > OS_PID_MAX)
        processes = OS_PID_MAX;
    process->rlimits[OS_RLIMIT_NPROC][0] = process->rlimits[OS_RLIMIT_NPROC][1] = processes;
    process->rlimits[OS_RLIMIT_NOFILE][0] = process->rlimits[OS_RLIMIT_NOFILE][1] = OS_NFILES_MAX;
    process->rlimits[OS_RLIMIT_MEMLOCK][0] = process->rlimits[OS_RLIMIT_MEMLOCK][1] =
        UINT64_C(8) << 20; /* the default since Linux 5.16 */
    process->rlimits[OS_RLIMIT_NICE][0] = process->rlimits[OS_RLIMIT_NICE][1] = 0;
    process->rlimits[OS_RLIMIT_RTPRIO][0] = process->rlimits[OS_RLIMIT_RTPRIO][1] = 0;
}

struct os_process *os_process_create_first(struct os *os) {
    struct os_process *process = calloc(1, sizeof *process);
    if (!process)
        return NULL;
    process->os = os;
    process->pid = process->group = process->session = os_new_pid(os);
    process->umask = 022;
    process->start_ns = os_now_ns(os);
    process->exit_signal = OS_SIGCHLD;
    process->cwd = strdup(os->config.cwd ? os->config.cwd : "/");
    process->files = os_files_create_stdio(os);
    set_first_limits(process);
    if (!process->cwd || !process->files || !os_task_create(process, process->pid)) {
        os_process_free(process);
        return NULL;
    }
    insert_process(os, process);
    return process;
}

/* ---- clone ----------------------------------------------------------------------------------- */

struct clone_request {
    uint64_t pidfd_va;
    uint64_t flags, stack, tls, parent_tid_va, child_tid_va;
    int exit_signal;
};

static char *copy_string(const char *text) {
    return text ? strdup(text) : NULL;
}

/* False: the host has no memory. */
static bool copy_bytes(char **to, size_t *to_bytes, const char *from, size_t nbytes) {
    if (!from)
        return true;
    *to = malloc(nbytes + 1);
    if (!*to)
        return false;
    memcpy(*to, from, nbytes);
    *to_bytes = nbytes;
    return true;
}

/* What a child inherits besides memory. False: the host has no memory. */
static bool inherit(struct os_process *child, struct os_process *parent, uint64_t flags) {
    child->os = parent->os;
    child->parent_pid = flags & OS_CLONE_PARENT ? parent->parent_pid : parent->pid;
    child->group = parent->group;
    child->session = parent->session;
    child->umask = parent->umask;
    child->nice = parent->nice;
    child->start_ns = os_now_ns(parent->os);
    memcpy(child->actions, parent->actions, sizeof child->actions);
    memcpy(child->rlimits, parent->rlimits, sizeof child->rlimits);
    memcpy(child->name, parent->name, sizeof child->name);
    child->cwd = copy_string(parent->cwd);
    child->exe = copy_string(parent->exe);
    if (!copy_bytes(&child->command_line, &child->command_line_bytes, parent->command_line,
                    parent->command_line_bytes) ||
        !copy_bytes(&child->environment, &child->environment_bytes, parent->environment,
                    parent->environment_bytes))
        return false;
    child->files =
        flags & OS_CLONE_FILES ? os_files_share(parent->files) : os_files_copy(parent->files);
    return child->cwd && child->files && (child->exe || !parent->exe);
}

static int64_t make_process(struct os_task *task, int pid, const struct clone_request *request,
                            struct os_task **out) {
    struct os_process *parent = task->process, *child = calloc(1, sizeof *child);
    if (!child)
        return -OS_EAGAIN;
    child->pid = pid;
    /* Its parent's parent never agreed to another signal (clone(2)). */
    child->exit_signal =
        request->flags & OS_CLONE_PARENT ? parent->exit_signal : request->exit_signal;
    int64_t error = -OS_EAGAIN;
    if (!inherit(child, parent, request->flags))
        goto undo;
    *out = os_task_create(child, pid);
    if (!*out)
        goto undo;
    error = -OS_ENOMEM;
    if (request->flags & OS_CLONE_VM) {
        child->memory = parent->memory;
        child->memory->users++;
    } else {
        child->memory = os_memory_fork(task->os, parent->memory);
        if (!child->memory)
            goto undo;
    }
    child->space = child->memory->space;
    insert_process(task->os, child);
    task->os->summary.processes++;
    return 0;
undo:
    os_process_free(child);
    return error;
}

/* The child's registers: as the parent's, but its call answers 0. */
static void start_child(struct os_task *parent, struct os_task *child,
                        const struct clone_request *request) {
    child->cpu = parent->cpu;
    child->affinity = parent->affinity;
    child->hart = parent->hart;
    child->ready_ns = os_hart_now_ns(parent->os);
    child->cpu.reserved = false;
    child->cpu.pc += 4;
    child->cpu.x[10] = 0;
    if (request->stack)
        child->cpu.x[2] = request->stack;
    if (request->flags & OS_CLONE_SETTLS)
        child->cpu.x[4] = request->tls; /* tp */
    child->signal_mask = parent->restore_mask ? parent->saved_mask : parent->signal_mask;
    if (!(request->flags & OS_CLONE_VM) || request->flags & OS_CLONE_VFORK) {
        child->altstack_base = parent->altstack_base;
        child->altstack_bytes = parent->altstack_bytes;
        child->altstack_flags = parent->altstack_flags;
    }
    if (request->flags & OS_CLONE_CHILD_CLEARTID)
        child->clear_tid_va = request->child_tid_va;
}

static int64_t check_clone(const struct os_task *task, uint64_t flags) {
    if (flags & OS_CLONE_NEWANY)
        return -OS_EPERM; /* namespaces need a privilege */
    if ((flags & OS_CLONE_THREAD) && !(flags & OS_CLONE_SIGHAND))
        return -OS_EINVAL;
    if ((flags & OS_CLONE_SIGHAND) && !(flags & OS_CLONE_VM))
        return -OS_EINVAL;
    if ((flags & OS_CLONE_SIGHAND) && !(flags & OS_CLONE_THREAD))
        return -OS_EINVAL; /* handlers shared by two processes: nothing known uses it */
    if ((flags & OS_CLONE_PARENT) && task->process->parent_pid == 0)
        return -OS_EINVAL;
    return 0;
}

/* A repetition after vfork's sleep: does the child still hold us? */
static int64_t vfork_result(struct os_task *task) {
    struct os_process *child = os_process_by_pid(task->os, task->vfork_pid);
    if (child && child->vfork_parent == task) {
        os_wait_on(task, child, UINT64_MAX);
        return OS_WAIT;
    }
    int pid = task->vfork_pid;
    task->vfork_pid = 0;
    return pid;
}

static uint64_t count_all(const struct os *os) {
    uint64_t count = 0;
    for (const struct os_process *process = os->processes; process; process = process->next) {
        count += process->zombie;
        for (const struct os_task *task = process->tasks; task; task = task->next)
            count += task->state != OS_ZOMBIE;
    }
    return count;
}

static int64_t do_clone(struct os_task *task, const struct clone_request *request) {
    int64_t error = check_clone(task, request->flags);
    if (error)
        return error;
    if (count_all(task->os) >= task->process->rlimits[OS_RLIMIT_NPROC][0])
        return -OS_EAGAIN;
    if (!task->process->space)
        return -OS_ENOMEM;
    int id = os_new_pid(task->os);
    if (id == 0)
        return -OS_EAGAIN;
    struct os_task *child;
    if (request->flags & OS_CLONE_PIDFD && request->flags & (OS_CLONE_THREAD | OS_CLONE_DETACHED))
        return -OS_EINVAL;
    if (request->flags & OS_CLONE_THREAD) {
        child = os_task_create(task->process, id);
        if (!child)
            return -OS_EAGAIN;
    } else {
        error = make_process(task, id, request, &child);
        if (error)
            return error;
    }
    start_child(task, child, request);
    int32_t tid = id;
    if (request->flags & OS_CLONE_PIDFD) { /* by the time it is known that there is none it runs */
        int32_t fd = (int32_t)os_pidfd_new(task, child->process, 0);
        os_copy_to_user(task, request->pidfd_va, &fd, sizeof fd);
    }
    if (request->flags & OS_CLONE_PARENT_SETTID)
        os_copy_to_user(task, request->parent_tid_va, &tid, sizeof tid);
    if (request->flags & OS_CLONE_CHILD_SETTID)
        os_copy_to_user(child, request->child_tid_va, &tid, sizeof tid);
    if (request->flags & OS_CLONE_VFORK && !(request->flags & OS_CLONE_THREAD)) {
        child->process->vfork_parent = task;
        task->vfork_pid = id;
        return vfork_result(task);
    }
    return id;
}

int64_t os_sys_clone(struct os_task *task, const uint64_t args[6]) {
    if (task->vfork_pid != 0)
        return vfork_result(task);
    struct clone_request request = {
        .flags = args[0] & ~(uint64_t)OS_CSIGNAL & UINT32_MAX,
        .exit_signal = (int)(args[0] & OS_CSIGNAL),
        .stack = args[1],
        .parent_tid_va = args[2],
        .pidfd_va = args[2],
        .tls = args[3],
        .child_tid_va = args[4],
    };
    if (request.exit_signal > OS_NSIG)
        return -OS_EINVAL;
    return do_clone(task, &request);
}

/* struct clone_args, first version; later versions only append. */
#define CLONE_ARGS_MIN 64
#define CLONE_ARGS_MAX 88

int64_t os_sys_clone3(struct os_task *task, const uint64_t args[6]) {
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_bytes, tls, rest[3];
    } wanted = {0};
    _Static_assert(sizeof wanted == CLONE_ARGS_MAX, "struct clone_args");
    if (task->vfork_pid != 0)
        return vfork_result(task);
    if (args[1] < CLONE_ARGS_MIN)
        return -OS_EINVAL;
    if (args[1] > sizeof wanted)
        return -OS_E2BIG;
    if (os_copy_from_user(task, &wanted, args[0], args[1]) != 0)
        return -OS_EFAULT;
    const uint64_t known = OS_CLONE_VM | OS_CLONE_FS | OS_CLONE_FILES | OS_CLONE_SIGHAND |
                           OS_CLONE_VFORK | OS_CLONE_PARENT | OS_CLONE_THREAD | OS_CLONE_SYSVSEM |
                           OS_CLONE_SETTLS | OS_CLONE_PARENT_SETTID | OS_CLONE_CHILD_CLEARTID |
                           OS_CLONE_CHILD_SETTID | OS_CLONE_PIDFD;
    if (wanted.flags & ~known || wanted.exit_signal > OS_NSIG || wanted.rest[0] || wanted.rest[1] ||
        (wanted.stack == 0) != (wanted.stack_bytes == 0))
        return -OS_EINVAL;
    struct clone_request request = {
        .flags = wanted.flags,
        .exit_signal = (int)wanted.exit_signal,
        .pidfd_va = wanted.pidfd,
        .stack = wanted.stack + wanted.stack_bytes,
        .tls = wanted.tls,
        .parent_tid_va = wanted.parent_tid,
        .child_tid_va = wanted.child_tid,
    };
    return do_clone(task, &request);
}

/* ---- the end --------------------------------------------------------------------------------- */

void os_process_release_vfork(struct os_process *process) {
    if (!process->vfork_parent)
        return;
    process->vfork_parent = NULL;
    os_wake(process->os, process);
}

/* What a task leaves behind in memory that others still use: a zero and a wake-up (pthread_join).
 */
static void task_ends(struct os_task *task) {
    os_watch_task_ends(task);
    os_robust_list_exit(task);
    if (task->clear_tid_va && task->process->memory &&
        (task->process->memory->users > 1 || task->process->tasks->next)) {
        uint32_t zero = 0;
        if (os_copy_to_user(task, task->clear_tid_va, &zero, sizeof zero) == 0)
            os_futex_wake(task, task->clear_tid_va, 1, UINT32_MAX);
    }
    task->clear_tid_va = 0;
    os_signal_forget(task->process, task, 0);
    task->state = OS_ZOMBIE;
    task->process->cpu_ns += task->cpu_ns;
    task->cpu_ns = 0;
    task->os->sweep = true;
}

void os_process_keep_only(struct os_task *task) {
    for (struct os_task *other = task->process->tasks; other; other = other->next)
        if (other != task && other->state != OS_ZOMBIE)
            task_ends(other);
}

/* A vfork parent may die while its child runs: nobody is to be woken then. */
static void forget_vfork(struct os *os, const struct os_process *dead) {
    for (struct os_process *process = os->processes; process; process = process->next)
        if (process->vfork_parent && process->vfork_parent->process == dead)
            process->vfork_parent = NULL;
}

/* Orphans go to process 1; those already dead are waited for by it, or vanish if it does not care.
 */
static void give_away_children(struct os *os, struct os_process *dead) {
    for (struct os_process *child = os->processes; child; child = child->next) {
        if (child->parent_pid != dead->pid || child->reaped)
            continue;
        child->parent_pid = os->init->pid;
        child->exit_signal = OS_SIGCHLD;
        if (child->zombie && dead != os->init)
            os_tell_parent(child, child->exit_status & 0x7f ? OS_CLD_KILLED : OS_CLD_EXITED,
                           child->exit_status & 0x7f ? child->exit_status & 0x7f
                                                     : child->exit_status >> 8);
    }
}

void os_process_exit(struct os_process *process, int status) {
    struct os *os = process->os;
    if (process->zombie)
        return;
    process->exiting = true;
    for (struct os_task *task = process->tasks; task; task = task->next)
        if (task->state != OS_ZOMBIE)
            task_ends(task);
    forget_vfork(os, process);
    if (process->session == process->pid)
        os_pty_leader_exits(os->fs, process);
    os_watch_exit(process, status);
    os_process_usage(process, &process->usage);
    os_memory_adopt(process, NULL);
    os_files_release(process->files);
    process->files = NULL;
    os_process_release_vfork(process);
    process->zombie = true;
    process->stopped = false;
    process->exit_status = status;
    for (unsigned i = 0; i < OS_ITIMERS; i++)
        process->timers[i].next_ns = 0;
    os_posix_timers_drop(process);
    os_sem_exit(process);
    os_files_process_ended(os->fs, process->pid);
    give_away_children(os, process);
    int signal = status & 0x7f;
    int code = !signal ? OS_CLD_EXITED : status & 0x80 ? OS_CLD_DUMPED : OS_CLD_KILLED;
    os_tell_parent(process, code, signal ? signal : status >> 8);
}

void os_task_exit(struct os_task *task, int status) {
    task_ends(task);
    for (struct os_task *other = task->process->tasks; other; other = other->next)
        if (other->state != OS_ZOMBIE)
            return;
    os_process_exit(task->process, status);
}

int64_t os_sys_exit(struct os_task *task, const uint64_t args[6]) {
    os_task_exit(task, (int)(args[0] & 0xff) << 8);
    return OS_NO_RETURN;
}

int64_t os_sys_exit_group(struct os_task *task, const uint64_t args[6]) {
    os_process_exit(task->process, (int)(args[0] & 0xff) << 8);
    return OS_NO_RETURN;
}

/* ---- freeing (I2) ---------------------------------------------------------------------------- */

void os_process_free(struct os_process *process) {
    while (process->tasks) {
        struct os_task *task = process->tasks;
        process->tasks = task->next;
        free(task->trace);
        free(task);
    }
    os_signal_forget(process, NULL, 0);
    os_posix_timers_drop(process);
    os_memory_release(process->memory);
    if (process->files)
        os_files_release(process->files);
    free(process->cwd);
    free(process->exe);
    free(process->command_line);
    free(process->environment);
    free(process);
}

static void free_dead_tasks(struct os_process *process) {
    struct os_task **link = &process->tasks;
    while (*link) {
        struct os_task *task = *link;
        if (task->state == OS_ZOMBIE) {
            *link = task->next;
            free(task);
        } else {
            link = &task->next;
        }
    }
}

void os_sweep(struct os *os) {
    struct os_process **link = &os->processes;
    os->sweep = false;
    while (*link) {
        struct os_process *process = *link;
        free_dead_tasks(process);
        if (process->reaped && process != os->init) {
            *link = process->next;
            os_process_free(process);
        } else {
            link = &process->next;
        }
    }
}
