/* sched.c: who runs next, who sleeps, and what a trap of the processor means.
 *
 * It owns the order of everything: tasks take turns on the harts (harts.c says who where), each for
 * so many instructions, so that a run is the same every time. A task that sleeps has a channel, a
 * moment, or both; being woken only means that its call is made again. (Queues for each channel
 * were rejected: with tens of tasks, looking through all of them is cheaper than keeping queues
 * right.)
 *
 *             ┌──────── runs: quire_soft_run ◀──────────┐
 *        turn │ trap                                    │ os_harts_next
 *             ▼                                         │
 *   ecall ─▶ os_call ─▶ value ─▶ on it goes             │
 *                   └─▶ OS_WAIT ─▶ SLEEPING ──os_wake, clock, signal──▶ RUNNING
 *   fault ─▶ signal    budget ─▶ end of the turn
 *   nobody runs ─▶ the clock jumps to the first moment that someone waits for
 *
 * I1  os->current is the task whose trap is answered, NULL outside.
 * I2  A task of a process without memory never reaches the processor.
 * I3  Dead tasks and reaped processes are freed between two turns only (os_sweep).
 *
 * Nothing here fails. Called by os_run. Audit: the trace hash of two equal runs is equal.
 */
#include "os/process.h"

#include <time.h>

/* What the model charges for a system call's way in and out, ns: some hundred cycles on hardware.
 * It also makes sure that a program which only asks for the time sees it pass. */
#define CALL_NS 200
/* How long the host sleeps at once while nothing in the machine can happen, ns. */
#define HOST_NAP_NS 2000000

/* ---- sleeping and waking --------------------------------------------------------------------- */

void os_wait_on(struct os_task *task, const void *channel, uint64_t wake_ns) {
    task->state = OS_SLEEPING;
    task->channel = channel;
    task->wake_ns = wake_ns;
}

void os_task_wake(struct os_task *task) {
    if (task->state != OS_SLEEPING)
        return;
    task->state = OS_RUNNING;
    task->ready_ns = os_hart_now_ns(task->os);
    task->channel = NULL;
    task->wake_ns = UINT64_MAX;
}

void os_wake(struct os *os, const void *channel) {
    for (struct os_process *process = os->processes; process; process = process->next)
        for (struct os_task *task = process->tasks; task; task = task->next)
            if (task->state == OS_SLEEPING && (!task->channel || task->channel == channel))
                os_task_wake(task);
}

bool os_others_can_run(const struct os_task *task) {
    if (os_timers_next(task->os) != UINT64_MAX)
        return true;
    for (struct os_process *process = task->os->processes; process; process = process->next)
        for (struct os_task *other = process->tasks; other; other = other->next)
            if (other != task && (other->state == OS_RUNNING ||
                                  (other->state == OS_SLEEPING && other->wake_ns != UINT64_MAX)))
                return true;
    return false;
}

/* Nobody can run: let time pass. */
static void idle(struct os *os, uint64_t first) {
    uint64_t timer = os_timers_next(os), now = os_now_ns(os);
    if (timer < first)
        first = timer;
    quire_tick(os->quire);
    if (first != UINT64_MAX && !os->config.host_clock) {
        os_harts_idle_until(os, first);
        return;
    }
    /* On the host's clock, or waiting for a signal from outside: in short naps, to hear of both. */
    uint64_t nap = first > now ? first - now : 0;
    if (nap > HOST_NAP_NS)
        nap = HOST_NAP_NS;
    struct timespec pause = {0, (long)nap};
    nanosleep(&pause, NULL);
}

/* ---- traps ----------------------------------------------------------------------------------- */

static void fault_signal(struct os_task *task, const struct quire_trap *trap) {
    struct os_signal_info info = {.signo = OS_SIGSEGV, .address = trap->va};
    switch (trap->status) {
    case QUIRE_KILLED:
        task->process->oom_killed = true;
        info = (struct os_signal_info){.signo = OS_SIGKILL, .code = OS_SI_KERNEL};
        break;
    case QUIRE_BUS:
    case QUIRE_IO:
        info.signo = OS_SIGBUS;
        info.code = OS_BUS_ADRERR;
        break;
    case QUIRE_DENIED:
        info.code = OS_SEGV_ACCERR;
        break;
    default:
        info.code = OS_SEGV_MAPERR;
        break;
    }
    os_signal_force(task, info.signo, &info);
}

static void answer_trap(struct os_task *task, const struct quire_trap *trap) {
    struct os_signal_info info = {.address = task->cpu.pc};
    switch (trap->kind) {
    case QUIRE_TRAP_BUDGET:
        break;
    case QUIRE_TRAP_ECALL:
        quire_soft_charge(task->os->machine, CALL_NS);
        os_call(task);
        break;
    case QUIRE_TRAP_EBREAK:
        info.signo = OS_SIGTRAP;
        info.code = OS_TRAP_BRKPT;
        os_signal_force(task, OS_SIGTRAP, &info);
        break;
    case QUIRE_TRAP_ILLEGAL:
        info.signo = OS_SIGILL;
        info.code = OS_ILL_ILLOPC;
        os_signal_force(task, OS_SIGILL, &info);
        break;
    case QUIRE_TRAP_FAULT:
        fault_signal(task, trap);
        break;
    }
}

/* ---- one turn -------------------------------------------------------------------------------- */

/* Signals that the host sent go to the group in the console's foreground, as a terminal's would. A
 * signal that is no key's (TERM, HUP) goes to that of process 1. */
static void take_interrupts(struct os *os) {
    int foreground = os_console_group(os);
    os->interrupted = 0;
    for (int signal = 1; signal <= OS_NSIG; signal++) {
        if (!os->interrupts[signal])
            continue;
        os->interrupts[signal] = 0;
        struct os_signal_info info = {.signo = signal, .code = OS_SI_KERNEL};
        bool key = signal != OS_SIGTERM && signal != OS_SIGHUP;
        int group = key ? foreground : os->init->group;
        for (struct os_process *process = os->processes; process; process = process->next)
            if (process->group == group && !process->reaped)
                os_signal_process(process, signal, &info);
    }
}

/* A call that slept is made again; then signals. True if the task may go on in user mode. */
static bool prepare(struct os_task *task) {
    if (task->in_call && !task->got_eintr && task->process->space)
        os_call(task);
    if (task->os->interrupted)
        take_interrupts(task->os);
    if (task->state != OS_RUNNING)
        return false;
    bool interrupted = task->in_call; /* os_call left it so: it was -EINTR */
    task->got_eintr = false;
    if ((task->pending | task->process->pending) && !os_signal_take(task, interrupted))
        return false;
    return task->state == OS_RUNNING && !task->in_call && task->process->space;
}

/* The hart's clock without the time in which nothing ran: a task that waits for the host uses none.
 */
static uint64_t busy_ns(const struct os *os, const struct os_hart *hart) {
    return quire_soft_hart_ns(os->machine, hart->number) -
           quire_soft_hart_idle_ns(os->machine, hart->number);
}

/* Of several harts: others are behind by now, or the task may not stay. */
static bool must_stop(const struct os *os, const struct os_hart *hart, uint64_t until_ns) {
    return quire_soft_hart_ns(os->machine, hart->number) >= until_ns ||
           !(hart->task->affinity >> hart->number & 1);
}

/* The hart works on its task for a step: with one hart that is the whole turn. */
static void take_step(struct os *os, struct os_hart *hart) {
    struct os_task *task = hart->task;
    struct os_process *process = task->process;
    uint64_t until, step = os_hart_step(os, hart, &until), left = step, start = busy_ns(os, hart);
    bool over = false;
    task->cpu.reserved = false;
    quire_soft_work_until(os->machine, until);
    while (left > 0) {
        over = !prepare(task);
        if (over)
            break;
        struct quire_trap trap;
        uint64_t done =
            quire_soft_run(os->machine, quire_space_pmap(process->space), &task->cpu, left, &trap);
        left = trap.kind == QUIRE_TRAP_BUDGET || done >= left ? 0 : left - done;
        answer_trap(task, &trap);
        if (os->nharts > 1 && must_stop(os, hart, until))
            break;
    }
    hart->left = over ? 0 : hart->left - step;
    /* A process that lost its memory to the OOM killer ends here (I2). */
    if (!process->zombie && !process->space)
        os_process_exit(process, OS_SIGKILL);
    uint64_t used = busy_ns(os, hart) - start;
    if (process->zombie)
        process->cpu_ns += used;
    else
        task->cpu_ns += used;
}

int os_run(struct os *os) {
    while (!os->init->zombie) {
        uint64_t first;
        if (os->interrupted)
            take_interrupts(os);
        if (atomic_load_explicit(&os->visit_asked, memory_order_relaxed))
            os_visit_now(os);
        struct os_hart *hart = os_harts_next(os, &first);
        if (!hart) {
            idle(os, first);
            continue;
        }
        os->current = hart->task; /* I1 */
        take_step(os, hart);
        os->current = NULL;
        quire_soft_tick_if_due(os->machine, os->quire);
        if (os->watch.context)
            os->watch.turn_ends(os->watch.context);
        os_harts_release(os);
        if (os->sweep)
            os_sweep(os); /* I3 */
    }
    for (struct os_process *process = os->processes; process; process = process->next)
        os_process_exit(process, OS_SIGKILL);
    os->summary.wall_ns = quire_soft_now_ns(os->machine);
    os->summary.killed_by_oom = os->init->oom_killed;
    int status = os->init->exit_status;
    return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}
