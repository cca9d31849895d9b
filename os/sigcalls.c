/* sigcalls.c: the system calls about signals and interval timers; what signals do is in signal.c.
 *
 * It owns the interval timers of processes (struct os_timer): moments of the programs' clock,
 * looked at by sched.c between slices of running. (A list of timers in order was rejected: three a
 * process are searched in no time.)
 *
 *      setitimer ─▶ next_ns ─▶ os_timers_run(now) ─▶ SIGALRM ─▶ next_ns += interval
 *
 * I1  next_ns is 0 in a timer that is not armed; a zombie has none armed.
 * I2  wait_set is not 0 only while a task is in rt_sigtimedwait.
 *
 * Timers of consumed processor time (ITIMER_VIRTUAL, ITIMER_PROF) run on the same clock: with one
 * processor and few tasks the difference is small, and it is deterministic.
 *
 * Failures: EINVAL, EFAULT, ESRCH, EINTR, EAGAIN. Called by the table of calls and by sched.c.
 * Audit: tests/run/proc_signal.c.
 */
#include "os/calls.h"
#include "os/process.h"

#include <string.h>

#define SIGSET_BYTES 8
#define UNMASKABLE   (os_signal_bit(OS_SIGKILL) | os_signal_bit(OS_SIGSTOP))

/* ---- actions and masks ----------------------------------------------------------------------- */

static bool is_ignored_now(const struct os_signal_action *action, int signal) {
    return action->handler == OS_SIG_IGN ||
           (action->handler == OS_SIG_DFL && os_signal_default(signal) == OS_ACT_IGNORE);
}

int64_t os_sys_rt_sigaction(struct os_task *task, const uint64_t args[6]) {
    struct os_sigaction_record record;
    int64_t signal = (int)args[0];
    if (args[3] != SIGSET_BYTES || signal < 1 || signal > OS_NSIG)
        return -OS_EINVAL;
    if (args[1] && (signal == OS_SIGKILL || signal == OS_SIGSTOP))
        return -OS_EINVAL;
    struct os_signal_action *action = &task->process->actions[signal];
    struct os_sigaction_record old = {action->handler, action->flags, action->mask};
    if (args[1]) {
        if (os_copy_from_user(task, &record, args[1], sizeof record) != 0)
            return -OS_EFAULT;
        action->handler = record.handler;
        action->flags = record.flags;
        action->mask = record.mask & ~UNMASKABLE;
        if (is_ignored_now(action, (int)signal)) { /* what is pending is forgotten */
            os_signal_forget(task->process, NULL, (int)signal);
            task->process->pending &= ~os_signal_bit((int)signal);
            for (struct os_task *other = task->process->tasks; other; other = other->next)
                other->pending &= ~os_signal_bit((int)signal);
        }
    }
    if (args[2] && os_copy_to_user(task, args[2], &old, sizeof old) != 0)
        return -OS_EFAULT;
    return 0;
}

int64_t os_sys_rt_sigprocmask(struct os_task *task, const uint64_t args[6]) {
    uint64_t old = task->signal_mask, set;
    if (args[3] != SIGSET_BYTES)
        return -OS_EINVAL;
    if (args[1]) {
        if (os_copy_from_user(task, &set, args[1], sizeof set) != 0)
            return -OS_EFAULT;
        switch ((int)args[0]) {
        case OS_SIG_BLOCK:
            set |= old;
            break;
        case OS_SIG_UNBLOCK:
            set = old & ~set;
            break;
        case OS_SIG_SETMASK:
            break;
        default:
            return -OS_EINVAL;
        }
        task->signal_mask = set & ~UNMASKABLE;
    }
    if (args[2] && os_copy_to_user(task, args[2], &old, sizeof old) != 0)
        return -OS_EFAULT;
    return 0;
}

int64_t os_sys_rt_sigpending(struct os_task *task, const uint64_t args[6]) {
    uint64_t set = (task->pending | task->process->pending) & task->signal_mask;
    if (args[1] > SIGSET_BYTES)
        return -OS_EINVAL;
    return os_copy_to_user(task, args[0], &set, args[1]);
}

int64_t os_sys_rt_sigsuspend(struct os_task *task, const uint64_t args[6]) {
    uint64_t set;
    if (args[1] != SIGSET_BYTES)
        return -OS_EINVAL;
    if (!task->restarted) {
        if (os_copy_from_user(task, &set, args[0], sizeof set) != 0)
            return -OS_EFAULT;
        task->saved_mask = task->signal_mask;
        task->signal_mask = set & ~UNMASKABLE;
        task->restore_mask = true;
    }
    os_wait_on(task, &task->wait_set, UINT64_MAX); /* a place that nobody wakes: signals do */
    return OS_WAIT;
}

/* Take one of the set if it is pending. 0: none. */
static int take_waited(struct os_task *task, uint64_t set, struct os_signal_info *info) {
    uint64_t there = (task->pending | task->process->pending) & set;
    if (there == 0)
        return 0;
    int signal = 1 + __builtin_ctzll(there);
    os_signal_dequeue(task, signal, info);
    return signal;
}

int64_t os_sys_rt_sigtimedwait(struct os_task *task, const uint64_t args[6]) {
    uint64_t set;
    struct os_timespec timeout;
    struct os_signal_info info;
    if (args[3] != SIGSET_BYTES)
        return -OS_EINVAL;
    if (os_copy_from_user(task, &set, args[0], sizeof set) != 0)
        return -OS_EFAULT;
    set &= ~UNMASKABLE;
    if (args[2] && !task->restarted) {
        if (os_copy_from_user(task, &timeout, args[2], sizeof timeout) != 0)
            return -OS_EFAULT;
        if (timeout.seconds < 0 || (uint64_t)timeout.nanoseconds >= OS_NS_PER_SECOND)
            return -OS_EINVAL;
        task->deadline_ns = os_deadline(task->os, &timeout);
    }
    task->wait_set = 0; /* I2 */
    int signal = take_waited(task, set, &info);
    if (signal == 0) {
        if (task->deadline_ns <= os_now_ns(task->os))
            return -OS_EAGAIN;
        task->wait_set = set;
        os_wait_on(task, &task->wait_set, task->deadline_ns);
        return OS_WAIT;
    }
    struct os_siginfo out = {.signo = info.signo, .code = info.code};
    if (signal == OS_SIGCHLD) {
        out.is.child.pid = info.pid;
        out.is.child.status = info.status;
    } else {
        out.is.user.pid = info.pid;
        out.is.user.uid = info.uid;
        out.is.user.value = info.address;
    }
    if (args[1] && os_copy_to_user(task, args[1], &out, sizeof out) != 0)
        return -OS_EFAULT;
    return signal;
}

int64_t os_sys_sigaltstack(struct os_task *task, const uint64_t args[6]) {
    uint64_t sp = task->cpu.x[2];
    bool on = !(task->altstack_flags & OS_SS_DISABLE) && sp > task->altstack_base &&
              sp - task->altstack_base <= task->altstack_bytes;
    struct os_stack_record old = {task->altstack_base,
                                  (int32_t)(task->altstack_flags | (on ? OS_SS_ONSTACK : 0)), 0,
                                  task->altstack_bytes};
    if (args[0]) {
        struct os_stack_record record;
        if (os_copy_from_user(task, &record, args[0], sizeof record) != 0)
            return -OS_EFAULT;
        uint32_t flags = (uint32_t)record.flags, mode = flags & ~OS_SS_AUTODISARM;
        if (on)
            return -OS_EPERM;
        if (mode != 0 && mode != OS_SS_DISABLE && mode != OS_SS_ONSTACK)
            return -OS_EINVAL;
        if (mode == OS_SS_DISABLE) {
            task->altstack_base = task->altstack_bytes = 0;
            task->altstack_flags = OS_SS_DISABLE;
        } else {
            if (record.bytes < OS_MINSIGSTKSZ)
                return -OS_ENOMEM;
            task->altstack_base = record.base;
            task->altstack_bytes = record.bytes;
            task->altstack_flags = flags & OS_SS_AUTODISARM;
        }
    }
    if (args[1] && os_copy_to_user(task, args[1], &old, sizeof old) != 0)
        return -OS_EFAULT;
    return 0;
}

/* ---- kill ------------------------------------------------------------------------------------ */

static struct os_signal_info info_from(const struct os_task *task, int signal, int code) {
    return (struct os_signal_info){.signo = signal, .code = code, .pid = task->process->pid};
}

int64_t os_sys_kill(struct os_task *task, const uint64_t args[6]) {
    int pid = (int)args[0], signal = (int)args[1];
    if (signal < 0 || signal > OS_NSIG)
        return -OS_EINVAL;
    if (pid == INT32_MIN)
        return -OS_ESRCH;
    struct os_signal_info info = info_from(task, signal, OS_SI_USER);
    int group = pid == 0 ? task->process->group : pid < -1 ? -pid : 0;
    bool found = false;
    for (struct os_process *process = task->os->processes; process; process = process->next) {
        if (process->reaped)
            continue;
        bool hit = pid > 0     ? process->pid == pid
                   : pid == -1 ? process->pid != 1 && process != task->process
                               : process->group == group;
        if (!hit)
            continue;
        found = true;
        if (signal != 0)
            os_signal_process(process, signal, &info);
    }
    return found ? 0 : -OS_ESRCH;
}

static int64_t kill_task(struct os_task *task, int group, int tid, int signal) {
    if (tid <= 0 || signal < 0 || signal > OS_NSIG)
        return -OS_EINVAL;
    struct os_task *target = os_task_by_tid(task->os, tid);
    if (!target || (group != 0 && target->process->pid != group))
        return -OS_ESRCH;
    struct os_signal_info info = info_from(task, signal, OS_SI_TKILL);
    if (signal != 0)
        os_signal_task(target, signal, &info);
    return 0;
}

int64_t os_sys_tkill(struct os_task *task, const uint64_t args[6]) {
    return kill_task(task, 0, (int)args[0], (int)args[1]);
}

int64_t os_sys_tgkill(struct os_task *task, const uint64_t args[6]) {
    if ((int)args[0] <= 0)
        return -OS_EINVAL;
    return kill_task(task, (int)args[0], (int)args[1], (int)args[2]);
}

/* A program may send itself anything; to others it may not pretend to be the kernel. */
static int64_t given_info(struct os_task *task, const struct os_process *process, int signal,
                          uint64_t va, struct os_signal_info *info) {
    struct os_siginfo in;
    if (os_copy_from_user(task, &in, va, sizeof in) != 0)
        return -OS_EFAULT;
    if (signal < 0 || signal > OS_NSIG)
        return -OS_EINVAL;
    if ((in.code >= 0 || in.code == OS_SI_TKILL) && process != task->process)
        return -OS_EPERM;
    *info = (struct os_signal_info){signal,         in.code, in.error,        in.is.user.pid,
                                    in.is.user.uid, 0,       in.is.user.value};
    return process ? 0 : -OS_ESRCH;
}

int64_t os_sys_rt_tgsigqueueinfo(struct os_task *task, const uint64_t args[6]) {
    struct os_signal_info info;
    int signal = (int)args[2];
    struct os_task *target = os_task_by_tid(task->os, (int)args[1]);
    if ((int)args[0] <= 0 || (int)args[1] <= 0)
        return -OS_EINVAL;
    if (target && target->process->pid != (int)args[0])
        target = NULL;
    int64_t result = given_info(task, target ? target->process : NULL, signal, args[3], &info);
    if (result < 0)
        return result;
    return signal != 0 && !os_signal_task(target, signal, &info) ? -OS_EAGAIN : 0;
}

int64_t os_sys_rt_sigqueueinfo(struct os_task *task, const uint64_t args[6]) {
    struct os_signal_info info;
    int signal = (int)args[1];
    struct os_process *process = os_process_by_pid(task->os, (int)args[0]);
    int64_t result = given_info(task, process, signal, args[2], &info);
    if (result < 0)
        return result;
    if (signal != 0 && !os_signal_process(process, signal, &info))
        return -OS_EAGAIN;
    return 0;
}

/* ---- interval timers ------------------------------------------------------------------------- */

static const int timer_signals[OS_ITIMERS] = {OS_SIGALRM, OS_SIGVTALRM, OS_SIGPROF};

void os_timers_run(struct os *os, uint64_t now_ns) {
    os_files_timers_run(os->fs);
    for (struct os_process *process = os->processes; process; process = process->next) {
        os_posix_timers_run(process, now_ns);
        for (unsigned i = 0; i < OS_ITIMERS; i++) {
            struct os_timer *timer = &process->timers[i];
            if (timer->next_ns == 0 || timer->next_ns > now_ns)
                continue;
            /* Periods that were missed count as one, as signals do not queue. */
            uint64_t late = now_ns - timer->next_ns;
            if (timer->interval_ns)
                timer->next_ns += timer->interval_ns * (late / timer->interval_ns + 1);
            else
                timer->next_ns = 0;
            os_signal_process(process, timer_signals[i], NULL);
        }
    }
}

uint64_t os_timers_next(const struct os *os) {
    uint64_t next = os_files_timers_next(os->fs);
    for (struct os_process *process = os->processes; process; process = process->next) {
        uint64_t own = os_posix_timers_next(process);
        next = own < next ? own : next;
        for (unsigned i = 0; i < OS_ITIMERS; i++)
            if (process->timers[i].next_ns && process->timers[i].next_ns < next)
                next = process->timers[i].next_ns;
    }
    return next;
}

static struct os_timeval timeval_of(uint64_t ns) {
    return (struct os_timeval){(int64_t)(ns / OS_NS_PER_SECOND),
                               (int64_t)(ns % OS_NS_PER_SECOND / 1000)};
}

static void read_timer(struct os_task *task, unsigned which, struct os_itimerval *out) {
    const struct os_timer *timer = &task->process->timers[which];
    uint64_t now = os_now_ns(task->os);
    out->interval = timeval_of(timer->interval_ns);
    out->value = timeval_of(timer->next_ns == 0    ? 0
                            : timer->next_ns > now ? timer->next_ns - now
                                                   : 1000);
}

int64_t os_sys_getitimer(struct os_task *task, const uint64_t args[6]) {
    struct os_itimerval out;
    if (args[0] >= OS_ITIMERS)
        return -OS_EINVAL;
    read_timer(task, (unsigned)args[0], &out);
    return os_copy_to_user(task, args[1], &out, sizeof out);
}

/* Nanoseconds of a time of day, at most some 146 years; false: it makes no sense. */
static bool timeval_ns(const struct os_timeval *time, uint64_t *ns) {
    if (time->seconds < 0 || (uint64_t)time->microseconds >= 1000000)
        return false;
    uint64_t seconds = (uint64_t)time->seconds;
    if (seconds > UINT32_MAX)
        seconds = UINT32_MAX;
    *ns = seconds * OS_NS_PER_SECOND + (uint64_t)time->microseconds * 1000;
    return true;
}

int64_t os_sys_setitimer(struct os_task *task, const uint64_t args[6]) {
    struct os_itimerval wanted = {0}, old;
    uint64_t first, interval;
    if (args[0] >= OS_ITIMERS)
        return -OS_EINVAL;
    if (args[1] && os_copy_from_user(task, &wanted, args[1], sizeof wanted) != 0)
        return -OS_EFAULT;
    if (!timeval_ns(&wanted.value, &first) || !timeval_ns(&wanted.interval, &interval))
        return -OS_EINVAL;
    read_timer(task, (unsigned)args[0], &old);
    struct os_timer *timer = &task->process->timers[args[0]];
    timer->next_ns = first ? os_now_ns(task->os) + first : 0;
    timer->interval_ns = interval;
    if (args[2] && os_copy_to_user(task, args[2], &old, sizeof old) != 0)
        return -OS_EFAULT;
    return 0;
}
