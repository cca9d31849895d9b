/* timers.c: timer_create and its sisters: alarms of a process that send a signal of its choice.
 *
 * They are looked at where interval timers are (os_timers_run). A timer has at most one signal on
 * its way; what rings meanwhile is counted in it, as its overrun (timer_getoverrun(2)).
 *
 *      timer_settime ─▶ next_ns ─▶ os_posix_timers_run(now) ─┬─ signal of before still pending:
 *                          ▲ + interval                      │   overrun + 1
 *                          └─────────────────────────────────┴─ else: sent, overrun 0
 *
 * All clocks run alike here, those of consumed processor time too (sigcalls.c says why).
 * I1  a process has at most TIMERS_MAX; they go with exec and exit, and are not inherited.
 *
 * May fail: EINVAL, EFAULT, EAGAIN (too many, or no host memory), EOPNOTSUPP.
 */
#include "os/calls.h"
#include "os/process.h"

#include <stdlib.h>

#define TIMERS_MAX  256
#define CLOCK_MAX   11 /* CLOCK_TAI */
#define OVERRUN_MAX INT32_MAX

enum notification { NOTIFY_SIGNAL = 0, NOTIFY_NONE = 1, NOTIFY_THREAD = 2, NOTIFY_THREAD_ID = 4 };

struct os_posix_timer {
    struct os_posix_timer *next; /* ascending id */
    int id, notify, signal, tid;
    bool realtime;
    uint64_t value; /* sigev_value */
    uint64_t next_ns, interval_ns;
    int64_t overrun;
};

struct event_record { /* struct sigevent */
    uint64_t value;
    int32_t signal, notify, tid, pad[11];
};
_Static_assert(sizeof(struct event_record) == 64, "struct sigevent");

struct timer_record { /* struct itimerspec */
    struct os_timespec interval, value;
};

static struct os_posix_timer *find(struct os_process *process, int id) {
    struct os_posix_timer *timer = process->posix_timers;
    while (timer && timer->id != id)
        timer = timer->next;
    return timer;
}

void os_posix_timers_drop(struct os_process *process) {
    while (process->posix_timers) {
        struct os_posix_timer *timer = process->posix_timers;
        process->posix_timers = timer->next;
        free(timer);
    }
}

/* ---- ringing --------------------------------------------------------------------------------- */

/* The note of its last signal, if that is still pending. */
static struct os_signal_info *still_pending(struct os_process *process, struct os_task *task,
                                            const struct os_posix_timer *timer) {
    uint64_t pending = task ? task->pending : process->pending;
    struct os_signal_info *info =
        task ? &task->infos[timer->signal] : &process->infos[timer->signal];
    if (!(pending & os_signal_bit(timer->signal)))
        return NULL;
    if (info->code == OS_SI_TIMER && info->pid == timer->id)
        return info;
    for (struct os_signal_queued *queued = process->queue; queued; queued = queued->next)
        if (queued->task == task && queued->info.signo == timer->signal &&
            queued->info.code == OS_SI_TIMER && queued->info.pid == timer->id)
            return &queued->info;
    return NULL;
}

static void ring(struct os_process *process, struct os_posix_timer *timer, uint64_t rings) {
    struct os_task *task = NULL;
    if (timer->notify == NOTIFY_NONE)
        return;
    if (timer->notify == NOTIFY_THREAD_ID) {
        task = os_task_by_tid(process->os, timer->tid);
        if (!task || task->process != process)
            return;
    }
    struct os_signal_info *before = still_pending(process, task, timer);
    if (before) {
        timer->overrun += (int64_t)rings;
        if (timer->overrun > OVERRUN_MAX)
            timer->overrun = OVERRUN_MAX;
        before->uid = (int32_t)timer->overrun;
        return;
    }
    timer->overrun = (int64_t)(rings - 1 > OVERRUN_MAX ? OVERRUN_MAX : rings - 1);
    struct os_signal_info info = {.signo = timer->signal,
                                  .code = OS_SI_TIMER,
                                  .pid = timer->id,
                                  .uid = (int32_t)timer->overrun,
                                  .address = timer->value};
    if (task)
        os_signal_task(task, timer->signal, &info);
    else
        os_signal_process(process, timer->signal, &info);
}

void os_posix_timers_run(struct os_process *process, uint64_t now_ns) {
    for (struct os_posix_timer *timer = process->posix_timers; timer; timer = timer->next) {
        if (timer->next_ns == 0 || timer->next_ns > now_ns)
            continue;
        uint64_t rings = 1;
        if (timer->interval_ns) {
            rings += (now_ns - timer->next_ns) / timer->interval_ns;
            timer->next_ns += rings * timer->interval_ns;
        } else {
            timer->next_ns = 0;
        }
        ring(process, timer, rings);
    }
}

uint64_t os_posix_timers_next(const struct os_process *process) {
    uint64_t next = UINT64_MAX;
    for (const struct os_posix_timer *timer = process->posix_timers; timer; timer = timer->next)
        if (timer->next_ns && timer->next_ns < next)
            next = timer->next_ns;
    return next;
}

/* ---- the calls ------------------------------------------------------------------------------- */

static int64_t check_event(struct os_task *task, const struct event_record *event) {
    if (event->notify != NOTIFY_SIGNAL && event->notify != NOTIFY_NONE &&
        event->notify != NOTIFY_THREAD && event->notify != NOTIFY_THREAD_ID)
        return -OS_EINVAL;
    if (event->notify != NOTIFY_NONE && (event->signal < 1 || event->signal > OS_NSIG))
        return -OS_EINVAL;
    if (event->notify == NOTIFY_THREAD_ID) {
        struct os_task *target = os_task_by_tid(task->os, event->tid);
        if (!target || target->process != task->process)
            return -OS_EINVAL;
    }
    return 0;
}

int64_t os_sys_timer_create(struct os_task *task, const uint64_t args[6]) {
    struct os_process *process = task->process;
    struct event_record event = {.signal = OS_SIGALRM, .notify = NOTIFY_SIGNAL};
    int32_t id = 0;
    bool own_clock = (int)args[0] < 0; /* a clock of consumed time, of a process or thread */
    if (!own_clock && (int)args[0] > CLOCK_MAX)
        return -OS_EINVAL;
    if (args[1] && os_copy_from_user(task, &event, args[1], sizeof event) != 0)
        return -OS_EFAULT;
    int64_t result = check_event(task, &event);
    if (result < 0)
        return result;
    struct os_posix_timer **link = &process->posix_timers;
    for (; *link && (*link)->id == id; link = &(*link)->next)
        id++;
    struct os_posix_timer *timer = id < TIMERS_MAX ? calloc(1, sizeof *timer) : NULL; /* I1 */
    if (!timer)
        return -OS_EAGAIN;
    *timer = (struct os_posix_timer){.next = *link,
                                     .id = id,
                                     .notify = event.notify,
                                     .signal = event.signal,
                                     .tid = event.tid,
                                     .realtime = args[0] == OS_CLOCK_REALTIME,
                                     .value = args[1] ? event.value : (uint64_t)id};
    if (os_copy_to_user(task, args[2], &id, sizeof id) != 0) {
        free(timer);
        return -OS_EFAULT;
    }
    *link = timer;
    return 0;
}

static void record_of(struct os_task *task, const struct os_posix_timer *timer,
                      struct timer_record *record) {
    uint64_t now = os_now_ns(task->os);
    uint64_t left = timer->next_ns == 0 ? 0 : timer->next_ns > now ? timer->next_ns - now : 1;
    *record = (struct timer_record){os_timespec_of(timer->interval_ns), os_timespec_of(left)};
}

int64_t os_sys_timer_settime(struct os_task *task, const uint64_t args[6]) {
    struct os_posix_timer *timer = find(task->process, (int)args[0]);
    struct timer_record wanted, old;
    uint64_t first, interval, now = os_now_ns(task->os);
    if (!args[2])
        return -OS_EINVAL;
    if (os_copy_from_user(task, &wanted, args[2], sizeof wanted) != 0)
        return -OS_EFAULT;
    if (!timer || !os_timer_ns(&wanted.value, &first) || !os_timer_ns(&wanted.interval, &interval))
        return -OS_EINVAL;
    record_of(task, timer, &old);
    if (first != 0 && !(args[1] & OS_TIMER_ABSTIME)) {
        first += now;
    } else if (first != 0 && timer->realtime) {
        uint64_t ahead = os_realtime_ns(task->os) - now;
        first = first > ahead ? first - ahead : 1; /* long ago, but armed */
    }
    timer->next_ns = first;
    timer->interval_ns = interval;
    timer->overrun = 0;
    return args[3] ? os_copy_to_user(task, args[3], &old, sizeof old) : 0;
}

int64_t os_sys_timer_gettime(struct os_task *task, const uint64_t args[6]) {
    struct os_posix_timer *timer = find(task->process, (int)args[0]);
    struct timer_record record;
    if (!timer)
        return -OS_EINVAL;
    record_of(task, timer, &record);
    return os_copy_to_user(task, args[1], &record, sizeof record);
}

int64_t os_sys_timer_getoverrun(struct os_task *task, const uint64_t args[6]) {
    struct os_posix_timer *timer = find(task->process, (int)args[0]);
    return timer ? timer->overrun : -OS_EINVAL;
}

int64_t os_sys_timer_delete(struct os_task *task, const uint64_t args[6]) {
    struct os_posix_timer *timer = find(task->process, (int)args[0]);
    if (!timer)
        return -OS_EINVAL;
    struct os_posix_timer **link = &task->process->posix_timers;
    while (*link != timer)
        link = &(*link)->next;
    *link = timer->next;
    free(timer);
    return 0;
}
