/* syscalls.c: from a number in a7 to a handler, and from its answer to a0.
 *
 * It owns the counts of calls; the table is call_table.c's. A handler that had to wait left the
 * registers alone, so the same ecall is simply answered again when the task is woken; nothing is
 * kept on a stack.
 *
 *      a7 ─▶ table ─▶ handler(task, a0..a5) ─┬─ value, -errno ─▶ a0, pc past the ecall
 *                                            ├─ OS_WAIT       ─▶ asleep, in_call stays
 *                                            ├─ -EINTR        ─▶ in_call stays; signals decide
 *                                            └─ OS_NO_RETURN  ─▶ registers: someone else's
 *
 * I1  A task in user mode has in_call false.
 * I2  deadline_ns and progress belong to one call: they are reset at its first run only.
 *
 * An unknown number answers ENOSYS and is counted. Called by sched.c. Audit: os_summary.
 */
#include "os/call_table.h"
#include "os/process.h"

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
    const struct os_call_row *row = number < OS_SYSCALL_LIMIT ? &os_call_rows[number] : NULL;
    if (!task->in_call) { /* I2 */
        task->restarted = false;
        task->progress = 0;
        task->deadline_ns = UINT64_MAX;
        task->os->summary.syscalls++;
    }
    uint64_t args[6] = {cpu->x[10], cpu->x[11], cpu->x[12], cpu->x[13], cpu->x[14], cpu->x[15]};
    if (!row || !row->handler) {
        count_unknown(task->os, number);
        os_watch_unknown(task, number, args);
        finish(task, -OS_ENOSYS);
        return;
    }
    bool watched = task->os->check || task->os->config.trace;
    task->in_call = true;
    if (watched)
        os_watch_begin(task, row, args);
    if (task->os->watch.context)
        task->os->watch.call_begins(task->os->watch.context, task->process->space, cpu);
    int64_t result = row->handler(task, args);
    if (task->os->watch.context)
        task->os->watch.call_ends(task->os->watch.context, task->process->space);
    if (watched)
        os_watch_end(task, row, args,
                     result == OS_WAIT && os_signal_pending(task) ? -OS_EINTR : result);
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
