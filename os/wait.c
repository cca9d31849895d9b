/* wait.c: how a parent learns what became of its children, and what they used.
 *
 * It owns no data: a child's state is in its struct os_process. Only processes are waited for; a
 * thread is joined through its clear_tid word (process.c).
 *
 *      child ends, stops, goes on ─▶ os_tell_parent ─▶ SIGCHLD; who sleeps in wait looks again
 *      wait4, waitid ─▶ first child by pid that matches and has news ─▶ status, usage; reaped
 *
 * I1  Each piece of news is given once (but with WNOWAIT): reaped, stop_unreported,
 *     continue_unreported.
 * I2  The channel of everyone who waits for children is the parent process's address.
 *
 * Failures: ECHILD, EINVAL, EFAULT. A status that cannot be stored still reaps, as on Linux.
 * Audit: tests/run/proc_fork.c counts its children.
 */
#include "os/calls.h"
#include "os/process.h"

#include <string.h>

#define STATUS_STOPPED(signal) ((signal) << 8 | 0x7f)
#define STATUS_CONTINUED       0xffff

/* ---- telling the parent ---------------------------------------------------------------------- */

void os_tell_parent(struct os_process *child, int code, int status) {
    struct os *os = child->os;
    struct os_process *parent = os_process_by_pid(os, child->parent_pid);
    if (!parent || parent->zombie)
        return;
    const struct os_signal_action *action = &parent->actions[OS_SIGCHLD];
    bool ends = child->zombie;
    bool stop_news = code == OS_CLD_STOPPED || code == OS_CLD_CONTINUED;
    if (ends && child->exit_signal == OS_SIGCHLD &&
        (action->handler == OS_SIG_IGN || action->flags & OS_SA_NOCLDWAIT)) {
        child->reaped = true; /* nobody wants to know */
        os_rusage_add(&parent->child_usage, &child->usage);
        os->sweep = true;
    }
    struct os_signal_info info = {
        .signo = OS_SIGCHLD,
        .code = code,
        .pid = child->pid,
        .status = status,
    };
    if (ends && child->exit_signal != 0) {
        info.signo = child->exit_signal;
        os_signal_process(parent, child->exit_signal, &info);
    } else if (stop_news && !(action->flags & OS_SA_NOCLDSTOP)) {
        os_signal_process(parent, OS_SIGCHLD, &info);
    }
    os_wake(os, parent); /* I2 */
}

/* ---- what was used --------------------------------------------------------------------------- */

static struct os_timeval timeval_of(uint64_t ns) {
    return (struct os_timeval){(int64_t)(ns / OS_NS_PER_SECOND),
                               (int64_t)(ns % OS_NS_PER_SECOND / 1000)};
}

/* The machine does not tell user time from system time: all is user time. */
void os_process_usage(const struct os_process *process, struct os_rusage *usage) {
    if (process->zombie) {
        *usage = process->usage;
        return;
    }
    memset(usage, 0, sizeof *usage);
    uint64_t ns = process->cpu_ns;
    for (const struct os_task *task = process->tasks; task; task = task->next)
        ns += task->cpu_ns;
    usage->user = timeval_of(ns);
    if (!process->space)
        return;
    struct quire_space_usage space;
    quire_space_usage(process->space, &space);
    usage->max_resident_kb = (int64_t)(space.peak_resident * (QUIRE_PAGE_SIZE / 1024));
    usage->minor_faults = (int64_t)space.minor_faults;
    usage->major_faults = (int64_t)space.major_faults;
}

static void add_time(struct os_timeval *sum, const struct os_timeval *part) {
    sum->seconds += part->seconds;
    sum->microseconds += part->microseconds;
    if (sum->microseconds >= 1000000) {
        sum->microseconds -= 1000000;
        sum->seconds++;
    }
}

void os_rusage_add(struct os_rusage *sum, const struct os_rusage *part) {
    add_time(&sum->user, &part->user);
    add_time(&sum->system, &part->system);
    if (part->max_resident_kb > sum->max_resident_kb)
        sum->max_resident_kb = part->max_resident_kb;
    sum->minor_faults += part->minor_faults;
    sum->major_faults += part->major_faults;
}

/* ---- looking for news ------------------------------------------------------------------------ */

struct wanted {
    enum os_wait_id kind;
    int id;
    uint64_t options; /* with WEXITED among them */
};

struct news {
    struct os_process *child;
    int status;      /* as wait4 shows it */
    int code, value; /* as siginfo shows it */
};

static bool matches(const struct wanted *wanted, const struct os_process *parent,
                    const struct os_process *child) {
    if (child->parent_pid != parent->pid || child->reaped || child == parent)
        return false;
    if (wanted->kind == OS_P_PID && child->pid != wanted->id)
        return false;
    if (wanted->kind == OS_P_PGID && child->group != wanted->id)
        return false;
    if (wanted->options & OS_WALL)
        return true;
    bool clone_child = child->exit_signal != OS_SIGCHLD;
    return clone_child == !!(wanted->options & (uint32_t)OS_WCLONE);
}

static bool news_of(const struct wanted *wanted, struct os_process *child, struct news *news) {
    news->child = child;
    if (child->zombie && wanted->options & OS_WEXITED) {
        int signal = child->exit_status & 0x7f;
        news->status = child->exit_status;
        news->code = !signal                     ? OS_CLD_EXITED
                     : child->exit_status & 0x80 ? OS_CLD_DUMPED
                                                 : OS_CLD_KILLED;
        news->value = signal ? signal : child->exit_status >> 8;
        return true;
    }
    if (child->stop_unreported && child->stopped && wanted->options & OS_WSTOPPED) {
        news->status = STATUS_STOPPED(child->stop_signal);
        news->code = OS_CLD_STOPPED;
        news->value = child->stop_signal;
        return true;
    }
    if (child->continue_unreported && wanted->options & OS_WCONTINUED) {
        news->status = STATUS_CONTINUED;
        news->code = OS_CLD_CONTINUED;
        news->value = OS_SIGCONT;
        return true;
    }
    return false;
}

/* I1 */
static void take_news(struct os_process *parent, const struct news *news) {
    struct os_process *child = news->child;
    if (child->zombie) {
        child->reaped = true;
        os_rusage_add(&parent->child_usage, &child->usage);
        os_rusage_add(&parent->child_usage, &child->child_usage);
        parent->child_cpu_ns += child->cpu_ns + child->child_cpu_ns;
        parent->os->sweep = true;
    } else if (news->code == OS_CLD_STOPPED) {
        child->stop_unreported = false;
    } else {
        child->continue_unreported = false;
    }
}

/* 1: news; 0: none yet and WNOHANG; else -ECHILD or OS_WAIT. */
static int64_t look(struct os_task *task, const struct wanted *wanted, struct news *news) {
    bool any = false;
    for (struct os_process *child = task->os->processes; child; child = child->next) {
        if (!matches(wanted, task->process, child))
            continue;
        any = true;
        if (news_of(wanted, child, news))
            return 1;
    }
    if (!any)
        return -OS_ECHILD;
    if (wanted->options & OS_WNOHANG)
        return 0;
    os_wait_on(task, task->process, UINT64_MAX);
    return OS_WAIT;
}

/* ---- the calls ------------------------------------------------------------------------------- */

#define WAIT4_OPTIONS                                                     \
    (OS_WNOHANG | OS_WUNTRACED | OS_WCONTINUED | OS_WNOTHREAD | OS_WALL | \
     (uint64_t)(uint32_t)OS_WCLONE)
#define WAITID_OPTIONS (WAIT4_OPTIONS | OS_WEXITED | OS_WNOWAIT)

int64_t os_sys_wait4(struct os_task *task, const uint64_t args[6]) {
    int pid = (int)args[0];
    struct wanted wanted = {.kind = OS_P_ALL, .options = (args[2] & UINT32_MAX) | OS_WEXITED};
    if (args[2] & UINT32_MAX & ~WAIT4_OPTIONS)
        return -OS_EINVAL;
    if (pid == INT32_MIN)
        return -OS_ESRCH;
    if (pid > 0)
        wanted.kind = OS_P_PID, wanted.id = pid;
    else if (pid == 0)
        wanted.kind = OS_P_PGID, wanted.id = task->process->group;
    else if (pid < -1)
        wanted.kind = OS_P_PGID, wanted.id = -pid;
    struct news news;
    int64_t result = look(task, &wanted, &news);
    if (result != 1)
        return result;
    struct os_rusage usage;
    os_process_usage(news.child, &usage);
    os_rusage_add(&usage, &news.child->child_usage);
    int child = news.child->pid;
    take_news(task->process, &news);
    int32_t status = news.status;
    if (args[1] && os_copy_to_user(task, args[1], &status, sizeof status) != 0)
        return -OS_EFAULT;
    if (args[3] && os_copy_to_user(task, args[3], &usage, sizeof usage) != 0)
        return -OS_EFAULT;
    return child;
}

int64_t os_sys_waitid(struct os_task *task, const uint64_t args[6]) {
    uint64_t options = args[3] & UINT32_MAX;
    if (options & ~WAITID_OPTIONS || !(options & (OS_WEXITED | OS_WSTOPPED | OS_WCONTINUED)))
        return -OS_EINVAL;
    struct wanted wanted = {(enum os_wait_id)args[0], (int)args[1], options};
    if (args[0] == OS_P_PIDFD) {
        struct os_process *process;
        int64_t error = os_pidfd_process(task, args[1], &process);
        if (error < 0)
            return error == -OS_ESRCH ? -OS_ECHILD : error;
        wanted.kind = OS_P_PID;
        wanted.id = process->pid;
    } else if (args[0] != OS_P_ALL && args[0] != OS_P_PID && args[0] != OS_P_PGID) {
        return -OS_EINVAL;
    }
    if (args[0] == OS_P_PID && wanted.id <= 0)
        return -OS_EINVAL;
    if (args[0] == OS_P_PGID && wanted.id == 0)
        wanted.id = task->process->group;
    struct news news;
    int64_t result = look(task, &wanted, &news);
    if (result != 0 && result != 1)
        return result;
    struct os_siginfo info = {0};
    struct os_rusage usage = {0};
    if (result == 1) {
        info.signo = OS_SIGCHLD;
        info.code = news.code;
        info.is.child.pid = news.child->pid;
        info.is.child.status = news.value;
        os_process_usage(news.child, &usage);
        if (!(options & OS_WNOWAIT))
            take_news(task->process, &news);
    }
    if (args[2] && os_copy_to_user(task, args[2], &info, sizeof info) != 0)
        return -OS_EFAULT;
    if (result == 1 && args[4] && os_copy_to_user(task, args[4], &usage, sizeof usage) != 0)
        return -OS_EFAULT;
    return 0;
}
