/* time.c: the clocks of programs, and sleeping.
 *
 * It owns no state: the virtual clock is the machine's (it advances by instructions, faults and
 * disks, so a run is the same each time); with --clock host all clocks are the host's. Wall-clock
 * time on the virtual clock begins at a fixed date: a real one would make each run another.
 *
 *      CLOCK_MONOTONIC = machine's ns          CLOCK_REALTIME = EPOCH_NS + machine's ns
 *
 * I1  os_now_ns never goes back, on whatever hart it is asked (soft.h).
 * I2  A deadline is computed at a call's first run and kept over its repetitions.
 *
 * Failures: EINVAL, EFAULT, EINTR. Called by the table and all that sleeps. Audit: none needed.
 */
#include "os/calls.h"
#include "os/process.h"

#include <time.h>

/* 2026-01-01 00:00:00 UTC, in seconds since 1970. */
#define EPOCH_SECONDS UINT64_C(1767225600)
/* Longer sleeps than this (68 years) are cut: sums then never overflow. */
#define SECONDS_MAX (INT64_C(1) << 31)
/* And of a timer, whose sums with now and an interval must not overflow. */
#define TIMER_SECONDS_MAX (INT64_MAX / (int64_t)OS_NS_PER_SECOND / 4)

static uint64_t host_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * OS_NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

uint64_t os_now_ns(const struct os *os) {
    if (os->config.host_clock)
        return host_ns(CLOCK_MONOTONIC);
    return quire_soft_now_ns(os->machine);
}

uint64_t os_realtime_ns(const struct os *os) {
    if (os->config.host_clock)
        return host_ns(CLOCK_REALTIME);
    return EPOCH_SECONDS * OS_NS_PER_SECOND + quire_soft_now_ns(os->machine);
}

static uint64_t ns_of(const struct os_timespec *time) {
    int64_t seconds = time->seconds > SECONDS_MAX ? SECONDS_MAX : time->seconds;
    return (uint64_t)seconds * OS_NS_PER_SECOND + (uint64_t)time->nanoseconds;
}

uint64_t os_deadline(const struct os *os, const struct os_timespec *timeout) {
    return os_now_ns(os) + ns_of(timeout);
}

static uint64_t cpu_ns(const struct os_task *task, bool whole_process) {
    if (!whole_process)
        return task->cpu_ns;
    uint64_t sum = task->process->cpu_ns;
    for (const struct os_task *each = task->process->tasks; each; each = each->next)
        sum += each->cpu_ns;
    return sum;
}

/* False: no such clock. */
static bool read_clock(const struct os_task *task, uint64_t clock, uint64_t *ns) {
    switch ((int32_t)clock) {
    case OS_CLOCK_REALTIME:
    case OS_CLOCK_REALTIME_COARSE:
        *ns = os_realtime_ns(task->os);
        return true;
    case OS_CLOCK_MONOTONIC:
    case OS_CLOCK_MONOTONIC_RAW:
    case OS_CLOCK_MONOTONIC_COARSE:
    case OS_CLOCK_BOOTTIME:
        *ns = os_now_ns(task->os);
        return true;
    case OS_CLOCK_PROCESS_CPUTIME_ID:
        *ns = cpu_ns(task, true);
        return true;
    case OS_CLOCK_THREAD_CPUTIME_ID:
        *ns = cpu_ns(task, false);
        return true;
    default:
        /* clock_getcpuclockid and pthread_getcpuclockid pack an id in a negative number: ~id << 3,
         * with 4 for one thread. Only one's own is answered. */
        if ((int32_t)clock >= 0)
            return false;
        *ns = cpu_ns(task, !((uint32_t)clock & 4));
        return true;
    }
}

struct os_timespec os_timespec_of(uint64_t ns) {
    return (struct os_timespec){(int64_t)(ns / OS_NS_PER_SECOND), (int64_t)(ns % OS_NS_PER_SECOND)};
}

bool os_timer_ns(const struct os_timespec *time, uint64_t *ns) {
    if (time->seconds < 0 || time->nanoseconds < 0 ||
        (uint64_t)time->nanoseconds >= OS_NS_PER_SECOND)
        return false;
    int64_t seconds = time->seconds < TIMER_SECONDS_MAX ? time->seconds : TIMER_SECONDS_MAX;
    *ns = (uint64_t)seconds * OS_NS_PER_SECOND + (uint64_t)time->nanoseconds;
    return true;
}

int64_t os_sys_clock_gettime(struct os_task *task, const uint64_t args[6]) {
    uint64_t ns;
    if (!read_clock(task, args[0], &ns))
        return -OS_EINVAL;
    struct os_timespec time = os_timespec_of(ns);
    return os_copy_to_user(task, args[1], &time, sizeof time);
}

int64_t os_sys_clock_getres(struct os_task *task, const uint64_t args[6]) {
    uint64_t ns;
    if (!read_clock(task, args[0], &ns))
        return -OS_EINVAL;
    struct os_timespec resolution = {0, 1};
    return args[1] ? os_copy_to_user(task, args[1], &resolution, sizeof resolution) : 0;
}

int64_t os_sys_clock_settime(struct os_task *task, const uint64_t args[6]) {
    uint64_t ns;
    if (!read_clock(task, args[0], &ns))
        return -OS_EINVAL;
    return -OS_EPERM;
}

int64_t os_sys_gettimeofday(struct os_task *task, const uint64_t args[6]) {
    uint64_t ns = os_realtime_ns(task->os);
    struct os_timeval time = {(int64_t)(ns / OS_NS_PER_SECOND),
                              (int64_t)(ns % OS_NS_PER_SECOND / 1000)};
    uint64_t zone = 0; /* struct timezone of two ints: UTC, no summer time */
    if (args[0] && os_copy_to_user(task, args[0], &time, sizeof time) != 0)
        return -OS_EFAULT;
    return args[1] ? os_copy_to_user(task, args[1], &zone, sizeof zone) : 0;
}

/* Sleep until deadline_ns; when a signal comes first, what was left goes to rest_va. */
static int64_t sleep_on(struct os_task *task, uint64_t rest_va) {
    uint64_t now = os_now_ns(task->os);
    if (now >= task->deadline_ns)
        return 0;
    if (task->restarted && rest_va && os_signal_pending(task)) {
        struct os_timespec rest = os_timespec_of(task->deadline_ns - now);
        if (os_copy_to_user(task, rest_va, &rest, sizeof rest) != 0)
            return -OS_EFAULT;
    }
    os_wait_on(task, &task->deadline_ns, task->deadline_ns); /* a channel that nobody wakes */
    return OS_WAIT;
}

static bool timespec_valid(const struct os_timespec *time) {
    return time->seconds >= 0 && (uint64_t)time->nanoseconds < OS_NS_PER_SECOND;
}

int64_t os_sys_nanosleep(struct os_task *task, const uint64_t args[6]) {
    struct os_timespec time;
    if (!task->restarted) { /* I2 */
        if (os_copy_from_user(task, &time, args[0], sizeof time) != 0)
            return -OS_EFAULT;
        if (!timespec_valid(&time))
            return -OS_EINVAL;
        task->deadline_ns = os_deadline(task->os, &time);
    }
    return sleep_on(task, args[1]);
}

int64_t os_sys_clock_nanosleep(struct os_task *task, const uint64_t args[6]) {
    struct os_timespec time;
    uint64_t clock_ns;
    bool absolute = args[1] & OS_TIMER_ABSTIME;
    if (!task->restarted) {
        if (!read_clock(task, args[0], &clock_ns) || args[0] == OS_CLOCK_THREAD_CPUTIME_ID)
            return -OS_EINVAL;
        if (os_copy_from_user(task, &time, args[2], sizeof time) != 0)
            return -OS_EFAULT;
        if (!timespec_valid(&time))
            return -OS_EINVAL;
        uint64_t now = os_now_ns(task->os), ns = ns_of(&time);
        if (absolute)
            ns = ns > clock_ns ? ns - clock_ns : 0;
        task->deadline_ns = now + ns;
    }
    return sleep_on(task, absolute ? 0 : args[3]);
}

int64_t os_sys_times(struct os_task *task, const uint64_t args[6]) {
    const uint64_t tick_ns = OS_NS_PER_SECOND / OS_CLOCK_TICKS;
    struct {
        int64_t user, system, child_user, child_system;
    } times = {(int64_t)(cpu_ns(task, true) / tick_ns), 0,
               (int64_t)(task->process->child_cpu_ns / tick_ns), 0};
    if (args[0] && os_copy_to_user(task, args[0], &times, sizeof times) != 0)
        return -OS_EFAULT;
    return (int64_t)(os_now_ns(task->os) / tick_ns);
}
