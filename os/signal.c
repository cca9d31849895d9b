/* signal.c: sending signals, taking them, and the frame that a handler runs on.
 *
 * It owns the pending sets and masks of tasks and processes. A set is a word and there is one note
 * (os_signal_info) a signal: a second instance of a pending signal is merged with the first. Only
 * real-time signals queue, behind the first, in the order they were sent. (A queue of all signals
 * was rejected: it needs memory that may not be there, and SIGKILL must never be lost.)
 *
 *      os_signal_process / os_signal_task / os_signal_force ─▶ pending, sleepers woken
 *                       ┌──────── before the task runs again ──────┘
 *                       ▼
 *      os_signal_take ─┬─ ignored: dropped
 *                      ├─ deadly: the process ends
 *                      ├─ stop, continue
 *                      └─ handler: a frame below the old sp, or on the alternate stack
 *
 *      new sp ─▶ │ siginfo 128 │ ucontext 960 │     ra = trampoline: li a7,139; ecall
 *
 * I1  SIGKILL and SIGSTOP are never masked, caught or ignored.
 * I2  A frame is at a multiple of 16, and rt_sigreturn believes nothing in it but register
 *     contents.
 * I3  A call that answered -EINTR still has its ecall's registers until os_signal_take has decided
 *     whether it is made again (SA_RESTART, or no handler ran) or the program gets to see EINTR.
 * I4  A real-time signal is queued only while one of its number is pending for the same receiver,
 *     so that the order of sending is: the pending one, then the queue.
 *
 * Failures: a frame that cannot be written is SIGSEGV, as on Linux. Called by sched.c before a task
 * runs. Audit: tests/run/proc_signal.c. Source: the generic rt_sigframe of riscv64 in abi.h.
 */
#include "os/calls.h"
#include "os/process.h"

#include <stdlib.h>
#include <string.h>

#define UNMASKABLE (os_signal_bit(OS_SIGKILL) | os_signal_bit(OS_SIGSTOP))
#define STOP_SIGNALS                                                                     \
    (os_signal_bit(OS_SIGSTOP) | os_signal_bit(OS_SIGTSTP) | os_signal_bit(OS_SIGTTIN) | \
     os_signal_bit(OS_SIGTTOU))
#define CORE_FLAG 0x80 /* in a wait status: "core dumped" */

/* ---- what a signal does ---------------------------------------------------------------------- */

enum os_default_action os_signal_default(int signal) {
    switch (signal) {
    case OS_SIGCHLD:
    case OS_SIGURG:
    case OS_SIGWINCH:
        return OS_ACT_IGNORE;
    case OS_SIGCONT:
        return OS_ACT_CONTINUE;
    case OS_SIGSTOP:
    case OS_SIGTSTP:
    case OS_SIGTTIN:
    case OS_SIGTTOU:
        return OS_ACT_STOP;
    case OS_SIGQUIT:
    case OS_SIGILL:
    case OS_SIGTRAP:
    case OS_SIGABRT:
    case OS_SIGBUS:
    case OS_SIGFPE:
    case OS_SIGSEGV:
    case OS_SIGXCPU:
    case OS_SIGXFSZ:
    case OS_SIGSYS:
        return OS_ACT_CORE;
    default:
        return OS_ACT_TERMINATE;
    }
}

const char *os_signal_words(int signal) {
    switch (signal) {
    case OS_SIGILL:
        return "Illegal instruction";
    case OS_SIGTRAP:
        return "Trace/breakpoint trap";
    case OS_SIGABRT:
        return "Aborted";
    case OS_SIGBUS:
        return "Bus error";
    case OS_SIGFPE:
        return "Arithmetic exception";
    case OS_SIGSEGV:
        return "Segmentation fault";
    case OS_SIGKILL:
        return "Killed";
    default:
        return "Signal";
    }
}

static bool ignored(const struct os_process *process, int signal) {
    uint64_t handler = process->actions[signal].handler;
    if (signal == OS_SIGKILL || signal == OS_SIGSTOP) /* I1 */
        return false;
    return handler == OS_SIG_IGN ||
           (handler == OS_SIG_DFL && os_signal_default(signal) == OS_ACT_IGNORE);
}

/* Signals that task would act on now. SIGCONT without a handler does its work when it is sent. */
static uint64_t deliverable(const struct os_task *task) {
    uint64_t set = (task->pending | task->process->pending) & ~(task->signal_mask & ~UNMASKABLE);
    if (task->vfork_pid != 0) /* waits for its child, and only death may come between */
        set &= os_signal_bit(OS_SIGKILL);
    return set;
}

bool os_signal_pending(const struct os_task *task) {
    uint64_t set = deliverable(task);
    for (int signal = 1; set && signal <= OS_NSIG; signal++) {
        if (!(set & os_signal_bit(signal)))
            continue;
        if (!ignored(task->process, signal) &&
            !(signal == OS_SIGCONT && task->process->actions[signal].handler == OS_SIG_DFL))
            return true;
    }
    return false;
}

/* ---- sending --------------------------------------------------------------------------------- */

static void continue_process(struct os_process *process) {
    if (!process->stopped)
        return;
    process->stopped = false;
    process->stop_unreported = false;
    process->continue_unreported = true;
    for (struct os_task *task = process->tasks; task; task = task->next)
        if (task->state == OS_STOPPED)
            task->state = OS_RUNNING; /* a call in progress is made again, and sleeps again */
    os_tell_parent(process, OS_CLD_CONTINUED, OS_SIGCONT);
}

/* Stop and continue cancel each other; true if the signal need not be noted at all. */
static bool before_sending(struct os_process *process, int signal) {
    if (process->zombie || signal < 1 || signal > OS_NSIG)
        return true;
    uint64_t cancelled = 0;
    if (signal == OS_SIGCONT) {
        cancelled = STOP_SIGNALS;
        continue_process(process);
    } else if (os_signal_bit(signal) & STOP_SIGNALS) {
        cancelled = os_signal_bit(OS_SIGCONT);
    }
    process->pending &= ~cancelled;
    for (struct os_task *task = process->tasks; task; task = task->next)
        task->pending &= ~cancelled;
    return false;
}

static void wake_for(struct os_task *task, int signal) {
    if (task->state == OS_STOPPED && signal == OS_SIGKILL)
        task->state = OS_RUNNING;
    if (task->state == OS_SLEEPING &&
        (os_signal_pending(task) || task->wait_set & os_signal_bit(signal)))
        os_task_wake(task);
}

/* ---- the queue of real-time signals ---------------------------------------------------------- */

static bool enqueue(struct os_process *process, struct os_task *task,
                    const struct os_signal_info *info) {
    struct os_signal_queued **link = &process->queue, *queued;
    if (info->signo < OS_SIGRTMIN) /* merged with the one that is there */
        return true;
    if (process->nqueued >= OS_SIGQUEUE_MAX ||
        process->nqueued >= process->rlimits[OS_RLIMIT_SIGPENDING][0])
        return false;
    queued = malloc(sizeof *queued);
    if (!queued)
        return false;
    while (*link)
        link = &(*link)->next;
    *queued = (struct os_signal_queued){NULL, task, *info};
    *link = queued;
    process->nqueued++;
    return true;
}

static void unlink_queued(struct os_process *process, struct os_signal_queued **link) {
    struct os_signal_queued *queued = *link;
    *link = queued->next;
    process->nqueued--;
    free(queued);
}

void os_signal_forget(struct os_process *process, const struct os_task *task, int signal) {
    struct os_signal_queued **link = &process->queue;
    while (*link) {
        if ((!task || (*link)->task == task) && (signal == 0 || (*link)->info.signo == signal))
            unlink_queued(process, link);
        else
            link = &(*link)->next;
    }
}

/* Take the pending one; the next of its kind in the queue, if any, takes its place (I4). */
void os_signal_dequeue(struct os_task *task, int signal, struct os_signal_info *info) {
    struct os_process *process = task->process;
    bool own = task->pending & os_signal_bit(signal);
    uint64_t *pending = own ? &task->pending : &process->pending;
    struct os_signal_info *first = own ? &task->infos[signal] : &process->infos[signal];
    *info = *first;
    *pending &= ~os_signal_bit(signal);
    struct os_signal_queued **link = &process->queue;
    for (; *link; link = &(*link)->next) {
        if ((*link)->info.signo == signal && (*link)->task == (own ? task : NULL)) {
            *first = (*link)->info;
            *pending |= os_signal_bit(signal);
            unlink_queued(process, link);
            return;
        }
    }
}

/* ---- sending to one and to all --------------------------------------------------------------- */

static struct os_signal_info info_or_kernel(int signal, const struct os_signal_info *info) {
    return info ? *info : (struct os_signal_info){.signo = signal, .code = OS_SI_KERNEL};
}

bool os_signal_process(struct os_process *process, int signal, const struct os_signal_info *info) {
    if (before_sending(process, signal))
        return true;
    bool blocked = false, good = true; /* blocked: it is kept, since someone may wait for it */
    for (struct os_task *task = process->tasks; task; task = task->next)
        blocked |= task->state != OS_ZOMBIE &&
                   (task->signal_mask | task->wait_set) & os_signal_bit(signal);
    if (ignored(process, signal) && !blocked)
        return true;
    struct os_signal_info note = info_or_kernel(signal, info);
    if (process->pending & os_signal_bit(signal))
        good = enqueue(process, NULL, &note);
    else
        process->infos[signal] = note;
    process->pending |= os_signal_bit(signal);
    os_files_signalled(process->os->fs, signal);
    for (struct os_task *task = process->tasks; task; task = task->next)
        wake_for(task, signal);
    return good;
}

bool os_signal_task(struct os_task *task, int signal, const struct os_signal_info *info) {
    bool good = true;
    if (task->state == OS_ZOMBIE || before_sending(task->process, signal))
        return true;
    if (ignored(task->process, signal) &&
        !((task->signal_mask | task->wait_set) & os_signal_bit(signal)))
        return true;
    struct os_signal_info note = info_or_kernel(signal, info);
    if (task->pending & os_signal_bit(signal))
        good = enqueue(task->process, task, &note);
    else
        task->infos[signal] = note;
    task->pending |= os_signal_bit(signal);
    os_files_signalled(task->os->fs, signal);
    wake_for(task, signal);
    return good;
}

void os_signal_force(struct os_task *task, int signal, const struct os_signal_info *info) {
    struct os_signal_action *action = &task->process->actions[signal];
    if (task->signal_mask & os_signal_bit(signal) || action->handler == OS_SIG_IGN) {
        action->handler = OS_SIG_DFL;
        task->signal_mask &= ~os_signal_bit(signal);
    }
    task->pending &= ~os_signal_bit(signal);
    os_signal_task(task, signal, info);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static bool on_altstack(const struct os_task *task, uint64_t sp) {
    return !(task->altstack_flags & OS_SS_DISABLE) && sp > task->altstack_base &&
           sp - task->altstack_base <= task->altstack_bytes;
}

static void fill_info(struct os_siginfo *to, const struct os_signal_info *from) {
    to->signo = from->signo;
    to->code = from->code;
    to->error = from->error;
    if (from->signo == OS_SIGCHLD) {
        to->is.child.pid = from->pid;
        to->is.child.uid = from->uid;
        to->is.child.status = from->status;
    } else if (from->code > 0 && from->code != OS_SI_KERNEL) {
        to->is.address = from->address; /* a trap */
    } else {
        to->is.user.pid = from->pid;
        to->is.user.uid = from->uid;
        to->is.user.value = from->address;
    }
}

/* Write the frame and point the registers at the handler. False: there is no room for it. */
static bool push_frame(struct os_task *task, int signal, const struct os_signal_info *info) {
    struct os_signal_action *action = &task->process->actions[signal];
    struct os_signal_frame frame = {0};
    struct quire_cpu *cpu = &task->cpu;
    uint64_t sp = cpu->x[2];
    fill_info(&frame.info, info);
    frame.context.stack = (struct os_stack_record){
        task->altstack_base,
        (int32_t)(task->altstack_flags | (on_altstack(task, sp) ? OS_SS_ONSTACK : 0)), 0,
        task->altstack_bytes};
    frame.context.mask = task->restore_mask ? task->saved_mask : task->signal_mask;
    memcpy(frame.context.registers, cpu->x, sizeof cpu->x);
    frame.context.registers[0] = cpu->pc;
    memcpy(frame.context.f, cpu->f, sizeof cpu->f);
    frame.context.fcsr = cpu->fcsr;

    if (action->flags & OS_SA_ONSTACK && !(task->altstack_flags & OS_SS_DISABLE) &&
        !on_altstack(task, sp))
        sp = task->altstack_base + task->altstack_bytes;
    sp = (sp - sizeof frame) & ~UINT64_C(15); /* I2 */
    if (os_copy_to_user(task, sp, &frame, sizeof frame) != 0)
        return false;
    cpu->x[1] = task->process->memory->trampoline_va;
    cpu->x[2] = sp;
    cpu->x[10] = (uint64_t)signal;
    cpu->x[11] = sp + offsetof(struct os_signal_frame, info);
    cpu->x[12] = sp + offsetof(struct os_signal_frame, context);
    cpu->pc = action->handler;
    cpu->reserved = false;
    task->restore_mask = false;
    task->signal_mask |= action->mask;
    if (!(action->flags & OS_SA_NODEFER))
        task->signal_mask |= os_signal_bit(signal);
    task->signal_mask &= ~UNMASKABLE;
    if (action->flags & (uint32_t)OS_SA_RESETHAND)
        action->handler = OS_SIG_DFL;
    if (task->altstack_flags & OS_SS_AUTODISARM)
        task->altstack_flags = OS_SS_DISABLE;
    return true;
}

int64_t os_sys_rt_sigreturn(struct os_task *task, const uint64_t args[6]) {
    (void)args;
    struct os_signal_frame frame;
    struct quire_cpu *cpu = &task->cpu;
    if (os_copy_from_user(task, &frame, cpu->x[2], sizeof frame) != 0) {
        struct os_signal_info info = {OS_SIGSEGV, OS_SEGV_MAPERR, 0, 0, 0, 0, cpu->x[2]};
        os_signal_force(task, OS_SIGSEGV, &info);
        return OS_NO_RETURN;
    }
    memcpy(cpu->x, frame.context.registers, sizeof cpu->x);
    cpu->x[0] = 0;
    cpu->pc = frame.context.registers[0];
    memcpy(cpu->f, frame.context.f, sizeof cpu->f);
    cpu->fcsr = frame.context.fcsr & 0xff;
    cpu->reserved = false;
    task->signal_mask = frame.context.mask & ~UNMASKABLE;
    if (!on_altstack(task, cpu->x[2])) {
        task->altstack_base = frame.context.stack.base;
        task->altstack_bytes = frame.context.stack.bytes;
        task->altstack_flags = (uint32_t)frame.context.stack.flags & ~(uint32_t)OS_SS_ONSTACK;
    }
    return OS_NO_RETURN;
}

/* ---- taking ---------------------------------------------------------------------------------- */

static void die(struct os_task *task, int signal, bool core, const struct os_signal_info *info) {
    struct os_process *process = task->process;
    bool trap = info->code > 0 && info->code != OS_SI_KERNEL && core;
    if (process == task->os->init && trap)
        os_log(task->os, "process %d (%s): %s at 0x%llx (pc 0x%llx)", process->pid, process->name,
               os_signal_words(signal), (unsigned long long)info->address,
               (unsigned long long)task->cpu.pc);
    os_process_exit(process, signal | (core ? CORE_FLAG : 0));
}

static void stop(struct os_process *process, int signal) {
    process->stopped = true;
    process->stop_unreported = true;
    process->continue_unreported = false;
    process->stop_signal = signal;
    for (struct os_task *task = process->tasks; task; task = task->next)
        if (task->state != OS_ZOMBIE)
            task->state = OS_STOPPED;
    os_tell_parent(process, OS_CLD_STOPPED, signal);
}

/* A process group that nobody could continue is not stopped by its terminal. */
bool os_group_is_orphaned(struct os_process *process) {
    struct os *os = process->os;
    for (struct os_process *member = os->processes; member; member = member->next) {
        if (member->group != process->group || member->zombie)
            continue;
        struct os_process *parent = os_process_by_pid(os, member->parent_pid);
        if (parent && parent->group != member->group && parent->session == member->session)
            return false;
    }
    return true;
}

/* The lowest deliverable signal, taken out of its set; 0: none. */
static int next_signal(struct os_task *task, struct os_signal_info *info) {
    uint64_t set = deliverable(task);
    if (set == 0)
        return 0;
    int signal = set & os_signal_bit(OS_SIGKILL) ? OS_SIGKILL : 1 + __builtin_ctzll(set);
    os_signal_dequeue(task, signal, info);
    return signal;
}

/* Before a handler runs, the interrupted call gets its end (I3). */
static void settle_call(struct os_task *task, const struct os_signal_action *action,
                        bool interrupted) {
    if (!interrupted)
        return;
    if (!(action->flags & OS_SA_RESTART && os_call_restartable(task))) {
        task->cpu.x[10] = (uint64_t)-OS_EINTR;
        task->cpu.pc += 4;
    }
    task->in_call = false;
    task->wait_set = 0;
    task->futex_waiting = false;
}

bool os_signal_take(struct os_task *task, bool interrupted) {
    struct os_process *process = task->process;
    struct os_signal_info info;
    for (int signal; (signal = next_signal(task, &info)) != 0;) {
        struct os_signal_action *action = &process->actions[signal];
        if (ignored(process, signal))
            continue;
        os_watch_signal(task, signal);
        if (action->handler != OS_SIG_DFL && signal != OS_SIGKILL && signal != OS_SIGSTOP) {
            settle_call(task, action, interrupted);
            interrupted = false;
            if (push_frame(task, signal, &info))
                continue; /* more signals: their frames go on top and run first */
            if (signal == OS_SIGSEGV)
                action->handler = OS_SIG_DFL;
            struct os_signal_info fault = {OS_SIGSEGV, OS_SEGV_MAPERR, 0, 0, 0, 0, task->cpu.x[2]};
            os_signal_force(task, OS_SIGSEGV, &fault);
            continue;
        }
        switch (os_signal_default(signal)) {
        case OS_ACT_STOP:
            if (signal != OS_SIGSTOP && os_group_is_orphaned(process))
                break;
            stop(process, signal);
            return false;
        case OS_ACT_CORE:
        case OS_ACT_TERMINATE:
            die(task, signal, os_signal_default(signal) == OS_ACT_CORE, &info);
            return false;
        default:
            break;
        }
    }
    return true;
}

void os_signal_exec(struct os_task *task) {
    for (int signal = 1; signal <= OS_NSIG; signal++) {
        struct os_signal_action *action = &task->process->actions[signal];
        uint64_t handler = action->handler == OS_SIG_IGN ? OS_SIG_IGN : OS_SIG_DFL;
        *action = (struct os_signal_action){.handler = handler};
    }
    task->altstack_base = task->altstack_bytes = 0;
    task->altstack_flags = OS_SS_DISABLE;
}
