/* harts.c: which task has which hart, and which hart works next; what programs may say to that.
 *
 * A hart that has a task keeps it for a turn, counted in instructions. All harts share one thread
 * of the host and take turns there in short steps, always the one whose clock is furthest behind:
 * so no clock is ahead of another by more than a step, but for one that waited for a disk, which
 * then stands still until the others have caught up.
 *
 *      tasks that can run ──place──▶ hart 0: task, rest of its turn   ◀─ furthest behind: works
 *        ▲  (by pid, tid)            hart 1: task, rest of its turn
 *        └──── turn over, sleeps ─── hart 2: none: its clock follows the busy ones (idle time)
 *
 * A hart without a task takes the next one behind its own cursor, by (pid, tid), that may run on it
 * and has no hart; a task whose last hart is free as well is left to that one, where the TLB still
 * knows it. No hart takes a task before it is ready by the hart's own clock: what wakes it has
 * happened by then. Each hart's cursor comes by every task that may run there, and passes none but
 * those that run elsewhere: so nobody starves, whatever the affinities (I2). With one hart this is
 * round robin over all. (Queues for each hart with balancing between them were rejected: a queue
 * pulls its tasks apart in time, and balancing is a policy that a global choice does not need.)
 *
 * I1  A task is on at most one hart, and task->placed says so.
 * I2  Between two turns of a task that can run, each hart that it may use has at most one turn of
 *     each other task, unless one of them ran the task.
 * I3  A hart's clock is moved forward (idle) only to moments at which it could have had nothing to
 *     do: not beyond the clock of a busy one, a sleeper's moment or a timer's.
 *
 * Nothing here fails but the calls: EINVAL, EFAULT, ESRCH. Called by sched.c and the table. Audit:
 * tests/run/harts.sh: hashes of equal runs, spread, affinity, times.
 */
#include "os/calls.h"
#include "os/process.h"

/* Instructions and nanoseconds of one step where there are several harts. What one hart stores, the
 * others see at the latest so much later: about what an interrupt between processors takes. */
#define STEP_INSTRUCTIONS 10000
#define STEP_NS           10000

static uint64_t clock_of(const struct os *os, const struct os_hart *hart) {
    return quire_soft_hart_ns(os->machine, hart->number);
}

static bool is_allowed(const struct os_task *task, const struct os_hart *hart) {
    return task->affinity >> hart->number & 1;
}

uint64_t os_hart_now_ns(const struct os *os) {
    return clock_of(os, os->hart);
}

uint64_t os_harts_mask(const struct os *os) {
    return UINT64_MAX >> (64 - os->nharts);
}

void os_harts_begin(struct os *os) {
    os->nharts = os->config.harts ? os->config.harts : 1;
    for (unsigned i = 0; i < os->nharts; i++)
        os->harts[i].number = i;
    os->hart = &os->harts[0];
}

/* ---- placing --------------------------------------------------------------------------------- */

/* The last hart of the task is free to take it again. */
static bool has_better(const struct os *os, const struct os_task *task, const struct os_hart *hart,
                       uint64_t now) {
    const struct os_hart *last = &os->harts[task->hart];
    return last != hart && !last->task && is_allowed(task, last) && clock_of(os, last) <= now;
}

/* The next task behind the hart's cursor; NULL: none for it. */
static struct os_task *next_task(const struct os *os, const struct os_hart *hart, uint64_t now) {
    struct os_task *lowest = NULL;
    for (struct os_process *process = os->processes; process; process = process->next) {
        for (struct os_task *task = process->tasks; task; task = task->next) {
            if (task->state != OS_RUNNING || task->placed || task->ready_ns > now ||
                !is_allowed(task, hart) || has_better(os, task, hart, now))
                continue;
            if (process->pid > hart->cursor_pid ||
                (process->pid == hart->cursor_pid && task->tid > hart->cursor_tid))
                return task;
            if (!lowest)
                lowest = task;
        }
    }
    return lowest;
}

/* Let the clock of a hart without work go forward. */
static void rest_until(struct os *os, const struct os_hart *hart, uint64_t ns) {
    unsigned at_work = os->hart->number;
    quire_soft_hart(os->machine, hart->number);
    quire_soft_idle_until(os->machine, ns);
    quire_soft_hart(os->machine, at_work);
}

static bool give_task(struct os *os, struct os_hart *hart, uint64_t now) {
    struct os_task *task = next_task(os, hart, now);
    if (!task)
        return false;
    rest_until(os, hart, now);
    task->placed = true; /* I1 */
    task->hart = hart->number;
    hart->task = task;
    hart->left = OS_TURN_INSTRUCTIONS;
    hart->cursor_pid = task->process->pid;
    hart->cursor_tid = task->tid;
    return true;
}

/* Free harts take the tasks that wait for one. Again, as long as somebody found one: a task that
 * was left to its last hart may have lost it to another. How many go on waiting: those that may
 * only run where another is at work, or where it is not yet now. */
static unsigned place(struct os *os, uint64_t now, unsigned waiting) {
    bool placed = true;
    while (placed && waiting > 0) {
        placed = false;
        for (unsigned i = 0; i < os->nharts && waiting > 0; i++) {
            struct os_hart *hart = &os->harts[i];
            if (hart->task || clock_of(os, hart) > now || !give_task(os, hart, now))
                continue;
            placed = true;
            waiting--;
        }
    }
    return waiting;
}

void os_harts_release(struct os *os) {
    for (unsigned i = 0; i < os->nharts; i++) {
        struct os_hart *hart = &os->harts[i];
        if (!hart->task ||
            (hart->task->state == OS_RUNNING && hart->left > 0 && is_allowed(hart->task, hart)))
            continue;
        hart->task->placed = false;
        hart->task->ready_ns = clock_of(os, hart);
        hart->task = NULL;
    }
}

/* ---- whose turn it is ------------------------------------------------------------------------ */

/* What there is to wait for, as wake_sleepers saw it. */
struct outlook {
    uint64_t sleeper_ns; /* the first moment for which a task sleeps, by the clock of programs */
    uint64_t ready_ns;   /* the first at which a task that can run may be taken, after now */
    unsigned waiting;    /* tasks that may be taken now, but were not */
};

/* Wake who has slept long enough. told: what programs are told that now is. */
static struct outlook wake_sleepers(struct os *os, uint64_t now, uint64_t told) {
    struct outlook ahead = {UINT64_MAX, UINT64_MAX, 0};
    for (struct os_process *process = os->processes; process; process = process->next) {
        for (struct os_task *task = process->tasks; task; task = task->next) {
            if (task->state == OS_SLEEPING && task->wake_ns <= told)
                os_task_wake(task);
            if (task->state == OS_SLEEPING && task->wake_ns < ahead.sleeper_ns)
                ahead.sleeper_ns = task->wake_ns;
            if (task->state != OS_RUNNING || task->placed)
                continue;
            if (task->ready_ns <= now)
                ahead.waiting++;
            else if (task->ready_ns < ahead.ready_ns)
                ahead.ready_ns = task->ready_ns;
        }
    }
    return ahead;
}

/* Of the harts with a task, or without, the one that is furthest behind; NULL: there is none. */
static struct os_hart *behind(struct os *os, bool busy) {
    struct os_hart *found = NULL;
    for (unsigned i = 0; i < os->nharts; i++) {
        struct os_hart *hart = &os->harts[i];
        if ((hart->task != NULL) == busy && (!found || clock_of(os, hart) < clock_of(os, found)))
            found = hart;
    }
    return found;
}

/* I3: harts without work that stand at now or before go on to then, or to the next clock of one of
 * them that is ahead. */
static void follow(struct os *os, uint64_t now, uint64_t then) {
    for (unsigned i = 0; i < os->nharts; i++) {
        uint64_t at = clock_of(os, &os->harts[i]);
        if (!os->harts[i].task && at > now && at < then)
            then = at;
    }
    for (unsigned i = 0; then != UINT64_MAX && i < os->nharts; i++)
        if (!os->harts[i].task && clock_of(os, &os->harts[i]) < then)
            rest_until(os, &os->harts[i], then);
}

static void enter(struct os *os, struct os_hart *hart) {
    if (os->hart == hart)
        return;
    os->hart = hart;
    quire_soft_hart(os->machine, hart->number);
    quire_set_cpu(os->quire, hart->number);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* At this hart's time: what is due happens, and who can run gets a hart. */
static struct outlook begin_at(struct os *os, struct os_hart *hart) {
    enter(os, hart);
    uint64_t now = clock_of(os, hart), told = os->config.host_clock ? os_now_ns(os) : now;
    os_timers_run(os, told);
    struct outlook ahead = wake_sleepers(os, now, told);
    ahead.waiting = place(os, now, ahead.waiting);
    return ahead;
}

/* The next moment, by the harts' clocks, at which something is due. */
static uint64_t next_event(struct os *os, const struct outlook *ahead, uint64_t now) {
    uint64_t due = earlier(ahead->sleeper_ns, os_timers_next(os));
    return os->config.host_clock || due <= now ? ahead->ready_ns : earlier(due, ahead->ready_ns);
}

struct os_hart *os_harts_next(struct os *os, uint64_t *first) {
    for (;;) {
        struct os_hart *hart = behind(os, true), *rests = behind(os, false);
        if (!hart || (rests && clock_of(os, rests) < clock_of(os, hart)))
            hart = rests;
        uint64_t now = clock_of(os, hart);
        struct outlook ahead = begin_at(os, hart);
        hart = behind(os, true);
        *first = ahead.sleeper_ns;
        if (!hart && ahead.ready_ns == UINT64_MAX && ahead.waiting == 0)
            return NULL;
        uint64_t work = hart ? clock_of(os, hart) : UINT64_MAX;
        uint64_t event = now < work ? next_event(os, &ahead, now) : UINT64_MAX;
        if (now < work) /* harts without work are behind: they see to what is due before */
            follow(os, now, earlier(event, work));
        rests = behind(os, false);
        if (event > work && (!rests || clock_of(os, rests) >= work || now == work)) {
            enter(os, hart);
            return hart;
        }
    }
}

void os_harts_idle_until(struct os *os, uint64_t ns) {
    follow(os, clock_of(os, os->hart), ns);
}

uint64_t os_hart_step(const struct os *os, const struct os_hart *hart, uint64_t *until_ns) {
    *until_ns = UINT64_MAX;
    if (os->nharts == 1)
        return hart->left;
    *until_ns = clock_of(os, hart) + STEP_NS;
    return hart->left < STEP_INSTRUCTIONS ? hart->left : STEP_INSTRUCTIONS;
}

/* ---- what programs say and ask --------------------------------------------------------------- */

int64_t os_sys_getcpu(struct os_task *task, const uint64_t args[6]) {
    uint32_t cpu = task->hart, node = 0;
    if ((args[0] && os_copy_to_user(task, args[0], &cpu, sizeof cpu) != 0) ||
        (args[1] && os_copy_to_user(task, args[1], &node, sizeof node) != 0))
        return -OS_EFAULT;
    return 0;
}

/* A thread by its id, 0: the caller; a process stands for its first thread. NULL: there is none. */
static struct os_task *task_of(struct os_task *task, uint64_t tid) {
    if ((int)tid == 0)
        return task;
    struct os_process *process = os_process_by_pid(task->os, (int)tid);
    struct os_task *found = os_task_by_tid(task->os, (int)tid);
    return found ? found : process ? process->tasks : NULL;
}

int64_t os_sys_sched_getaffinity(struct os_task *task, const uint64_t args[6]) {
    uint64_t mask;
    if (args[1] < sizeof mask || args[1] & 7)
        return -OS_EINVAL;
    const struct os_task *of = task_of(task, args[0]);
    if (!of)
        return -OS_ESRCH;
    mask = of->affinity;
    return os_copy_to_user(task, args[2], &mask, sizeof mask) == 0 ? (int64_t)sizeof mask
                                                                   : -OS_EFAULT;
}

/* Bits of harts that are not there are ignored, but one must be left. A task that has to leave its
 * hart does so after this call, or before its next step. */
int64_t os_sys_sched_setaffinity(struct os_task *task, const uint64_t args[6]) {
    uint64_t mask = 0;
    size_t nbytes = args[1] < sizeof mask ? (size_t)args[1] : sizeof mask;
    if (nbytes && os_copy_from_user(task, &mask, args[2], nbytes) != 0)
        return -OS_EFAULT;
    struct os_task *of = task_of(task, args[0]);
    if (!of)
        return -OS_ESRCH;
    mask &= os_harts_mask(task->os);
    if (!mask)
        return -OS_EINVAL;
    of->affinity = mask;
    return 0;
}
