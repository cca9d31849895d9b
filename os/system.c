/* system.c: what a program asks of the machine as a whole: names, memory, random bytes, processors.
 *
 * It owns the generator of random bytes: a counter from the run's seed through splitmix64's mixing
 * (Steele, Lea, Flood, OOPSLA 2014), so that AT_RANDOM and getrandom are the same in each run with
 * that seed. It is not fit for keys, and says so here; the machine is for looking at, not for
 * hiding.
 *
 *      seed ─▶ state += odd constant ─▶ mix ─▶ 8 bytes
 *
 * I1  random_state changes by os_random only.
 * I2  What the machine says about itself (RV64GC) is what machine/soft is.
 *
 * Failures: EINVAL, EFAULT. Called by the table; os_random also by stack.c and fs_*.c. Audit: none.
 */
#include "os/calls.h"
#include "os/process.h"

#include <string.h>
#include <unistd.h>

#define SPLITMIX_STEP UINT64_C(0x9E3779B97F4A7C15)

void os_random(struct os *os, void *bytes, size_t nbytes) {
    uint8_t *at = bytes;
    while (nbytes > 0) {
        os->random_state += SPLITMIX_STEP; /* I1 */
        uint64_t word = os->random_state;
        word = (word ^ (word >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        word = (word ^ (word >> 27)) * UINT64_C(0x94D049BB133111EB);
        word ^= word >> 31;
        size_t piece = nbytes < sizeof word ? nbytes : sizeof word;
        memcpy(at, &word, piece);
        at += piece;
        nbytes -= piece;
    }
}

#define GETRANDOM_FLAGS 7 /* GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE */
#define GETRANDOM_MAX   0x7fffffffu

int64_t os_sys_getrandom(struct os_task *task, const uint64_t args[6]) {
    uint8_t bytes[256];
    uint64_t length = args[1] > GETRANDOM_MAX ? GETRANDOM_MAX : args[1], done = 0;
    if (args[2] & ~(uint64_t)GETRANDOM_FLAGS)
        return -OS_EINVAL;
    while (done < length) {
        size_t piece = length - done < sizeof bytes ? (size_t)(length - done) : sizeof bytes;
        os_random(task->os, bytes, piece);
        if (os_copy_to_user(task, args[0] + done, bytes, piece) != 0)
            return done > 0 ? (int64_t)done : -OS_EFAULT;
        done += piece;
    }
    return (int64_t)done;
}

/* ---- the machine ----------------------------------------------------------------------------- */

int64_t os_sys_uname(struct os_task *task, const uint64_t args[6]) {
    static const struct os_utsname name = {
        .system = "Linux",
        .node = "quire",
        .release = "6.1.0-quire", /* new enough for any C library, and recognisable */
        .version = "#1 Quire",
        .machine = "riscv64",
        .domain = "(none)",
    };
    return os_copy_to_user(task, args[0], &name, sizeof name);
}

int64_t os_sys_sysinfo(struct os_task *task, const uint64_t args[6]) {
    struct os *os = task->os;
    struct quire_usage usage;
    struct os_sysinfo info = {0};
    quire_usage(os->quire, &usage);
    info.uptime = (int64_t)(os_now_ns(os) / OS_NS_PER_SECOND);
    info.total_ram = usage.total * QUIRE_PAGE_SIZE;
    info.free_ram = usage.free * QUIRE_PAGE_SIZE;
    info.shared_ram = usage.shmem * QUIRE_PAGE_SIZE;
    info.total_swap = usage.swap_total * QUIRE_PAGE_SIZE;
    info.free_swap = usage.swap_free * QUIRE_PAGE_SIZE;
    info.unit_bytes = 1;
    for (struct os_process *process = os->processes; process; process = process->next)
        info.processes++;
    return os_copy_to_user(task, args[0], &info, sizeof info);
}

struct hwprobe_pair {
    int64_t key;
    uint64_t value;
};
enum { PROBE_VENDOR, PROBE_ARCH, PROBE_IMPLEMENTATION, PROBE_BASE, PROBE_EXTENSIONS, PROBE_SPEED };
#define PROBE_BASE_IMA 1 /* the base behaviour: I, M and A as specified */
#define PROBE_FD       1
#define PROBE_C        2
#define PROBE_SLOW     2 /* misaligned accesses work, and are slower than aligned ones */

int64_t os_sys_riscv_hwprobe(struct os_task *task, const uint64_t args[6]) {
    if (args[4] != 0)
        return -OS_EINVAL;
    for (uint64_t i = 0; i < args[1]; i++) {
        struct hwprobe_pair pair;
        if (os_copy_from_user(task, &pair, args[0] + i * sizeof pair, sizeof pair) != 0)
            return -OS_EFAULT;
        switch (pair.key) {
        case PROBE_VENDOR:
        case PROBE_ARCH:
        case PROBE_IMPLEMENTATION:
            pair.value = 0;
            break;
        case PROBE_BASE:
            pair.value = PROBE_BASE_IMA;
            break;
        case PROBE_EXTENSIONS:
            pair.value = PROBE_FD | PROBE_C; /* I2 */
            break;
        case PROBE_SPEED:
            pair.value = PROBE_SLOW;
            break;
        default:
            pair.key = -1;
            pair.value = 0;
            break;
        }
        if (os_copy_to_user(task, args[0] + i * sizeof pair, &pair, sizeof pair) != 0)
            return -OS_EFAULT;
    }
    return 0;
}

int64_t os_sys_riscv_flush_icache(struct os_task *task, const uint64_t args[6]) {
    if (args[2] & ~UINT64_C(1))
        return -OS_EINVAL;
    if (task->process->space)
        quire_code_stale_all(quire_space_pmap(task->process->space));
    return 0;
}

/* ---- scheduling: round robin, the rest of it in harts.c -------------------------------------- */

static bool exists(struct os_task *task, uint64_t tid) {
    return (int)tid == 0 || os_task_by_tid(task->os, (int)tid) ||
           os_process_by_pid(task->os, (int)tid);
}

int64_t os_sys_sched_yield(struct os_task *task, const uint64_t args[6]) {
    (void)args;
    if (task->restarted || !os_others_can_run(task))
        return 0;
    os_wait_on(task, &task->wake_ns, os_now_ns(task->os)); /* everyone else first */
    return OS_WAIT;
}

int64_t os_sys_sched_getscheduler(struct os_task *task, const uint64_t args[6]) {
    return exists(task, args[0]) ? 0 : -OS_ESRCH; /* SCHED_OTHER */
}

int64_t os_sys_sched_getparam(struct os_task *task, const uint64_t args[6]) {
    uint32_t priority = 0;
    if (!exists(task, args[0]))
        return -OS_ESRCH;
    return os_copy_to_user(task, args[1], &priority, sizeof priority);
}

int64_t os_sys_sched_setscheduler(struct os_task *task, const uint64_t args[6]) {
    if (!exists(task, args[0]))
        return -OS_ESRCH;
    return args[1] == 0 ? 0 : -OS_EPERM;
}

int64_t os_sys_sched_setparam(struct os_task *task, const uint64_t args[6]) {
    int32_t priority;
    if (!exists(task, args[0]))
        return -OS_ESRCH;
    if (os_copy_from_user(task, &priority, args[1], sizeof priority) != 0)
        return -OS_EFAULT;
    return priority == 0 ? 0 : -OS_EINVAL;
}

/* A slice of ours, in the terms of who asks: SCHED_OTHER has none that is promised. */
int64_t os_sys_sched_rr_get_interval(struct os_task *task, const uint64_t args[6]) {
    struct os_timespec slice = {0, 4000000}; /* what Linux answers for SCHED_OTHER */
    if (!exists(task, args[0]))
        return -OS_ESRCH;
    return os_copy_to_user(task, args[1], &slice, sizeof slice);
}

struct sched_attributes { /* struct sched_attr, first version */
    uint32_t bytes, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};
_Static_assert(sizeof(struct sched_attributes) == 48, "SCHED_ATTR_SIZE_VER0");

int64_t os_sys_sched_getattr(struct os_task *task, const uint64_t args[6]) {
    struct sched_attributes attributes = {.bytes = sizeof attributes};
    if (args[2] < sizeof attributes || args[2] > QUIRE_PAGE_SIZE || args[3])
        return -OS_EINVAL;
    if (!exists(task, args[0]))
        return -OS_ESRCH;
    attributes.nice = task->process->nice;
    return os_copy_to_user(task, args[1], &attributes, sizeof attributes);
}

int64_t os_sys_sched_setattr(struct os_task *task, const uint64_t args[6]) {
    struct sched_attributes attributes;
    if (!exists(task, args[0]))
        return -OS_ESRCH;
    if (os_copy_from_user(task, &attributes, args[1], sizeof attributes) != 0)
        return -OS_EFAULT;
    if (args[2])
        return -OS_EINVAL;
    return attributes.policy == 0 ? 0 : -OS_EPERM;
}

#define SCHED_FIFO 1
#define SCHED_RR   2

int64_t os_sys_sched_get_priority_max(struct os_task *task, const uint64_t args[6]) {
    (void)task;
    if (args[0] > 6)
        return -OS_EINVAL;
    return args[0] == SCHED_FIFO || args[0] == SCHED_RR ? 99 : 0;
}

int64_t os_sys_sched_get_priority_min(struct os_task *task, const uint64_t args[6]) {
    (void)task;
    if (args[0] > 6)
        return -OS_EINVAL;
    return args[0] == SCHED_FIFO || args[0] == SCHED_RR ? 1 : 0;
}

#define PRIORITY_NEUTRAL 20 /* getpriority answers 20 - nice */
#define NICE_LOWEST      19
enum { WHICH_PROCESS, WHICH_GROUP, WHICH_USER };

/* Is the process one of those that `which` and `who` name? All have one user. */
static bool is_named(const struct os_task *task, const struct os_process *process, uint64_t which,
                     int who) {
    if (process->reaped || process->zombie)
        return false;
    if (which == WHICH_PROCESS)
        return who == 0 ? process == task->process : process->pid == who;
    if (which == WHICH_GROUP)
        return process->group == (who == 0 ? task->process->group : who);
    return who == 0 || (unsigned)who == getuid();
}

int64_t os_sys_getpriority(struct os_task *task, const uint64_t args[6]) {
    int64_t best = -OS_ESRCH;
    if (args[0] > WHICH_USER)
        return -OS_EINVAL;
    for (struct os_process *each = task->os->processes; each; each = each->next)
        if (is_named(task, each, args[0], (int)args[1]) && PRIORITY_NEUTRAL - each->nice > best)
            best = PRIORITY_NEUTRAL - each->nice;
    return best;
}

/* Niceness is kept and told, and changes nothing: turns are equal, so that runs are. */
int64_t os_sys_setpriority(struct os_task *task, const uint64_t args[6]) {
    int nice = (int)args[2];
    int64_t result = -OS_ESRCH;
    nice = nice > NICE_LOWEST ? NICE_LOWEST : nice < -PRIORITY_NEUTRAL ? -PRIORITY_NEUTRAL : nice;
    if (args[0] > WHICH_USER)
        return -OS_EINVAL;
    for (struct os_process *each = task->os->processes; each; each = each->next) {
        if (!is_named(task, each, args[0], (int)args[1]))
            continue;
        if (nice < each->nice && geteuid() != 0) {
            result = -OS_EACCES;
            continue;
        }
        each->nice = nice;
        result = result == -OS_ESRCH ? 0 : result;
    }
    return result;
}

#define MEMBARRIER_QUERY    0
#define MEMBARRIER_COMMANDS 0x1ff /* harts take turns: every barrier is one already */

int64_t os_sys_membarrier(struct os_task *task, const uint64_t args[6]) {
    (void)task;
    if (args[1] != 0)
        return -OS_EINVAL;
    if (args[0] == MEMBARRIER_QUERY)
        return MEMBARRIER_COMMANDS;
    return args[0] & MEMBARRIER_COMMANDS && !(args[0] & (args[0] - 1)) ? 0 : -OS_EINVAL;
}

/* Restartable sequences: C libraries do well without. */
int64_t os_sys_rseq(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return -OS_ENOSYS;
}

int64_t os_sys_personality(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return 0; /* PER_LINUX before and after */
}

/* ---- prctl ----------------------------------------------------------------------------------- */

enum {
    PR_SET_PDEATHSIG = 1,
    PR_GET_PDEATHSIG = 2,
    PR_GET_DUMPABLE = 3,
    PR_SET_DUMPABLE = 4,
    PR_SET_NAME = 15,
    PR_GET_NAME = 16,
    PR_CAPBSET_READ = 23,
    PR_GET_SECUREBITS = 27,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_GET_CHILD_SUBREAPER = 37,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
};
#define TIMER_SLACK_NS 50000

int64_t os_sys_prctl(struct os_task *task, const uint64_t args[6]) {
    struct os_process *process = task->process;
    char name[sizeof process->name] = {0};
    uint32_t zero = 0;
    switch ((int)args[0]) {
    case PR_SET_NAME: {
        /* At most 15 bytes count; a shorter string may end just before an unmapped page. */
        for (size_t i = 0; i < sizeof name - 1; i++) {
            if (os_copy_from_user(task, &name[i], args[1] + i, 1) != 0)
                return -OS_EFAULT;
            if (name[i] == 0)
                break;
        }
        memcpy(process->name, name, sizeof name);
        return 0;
    }
    case PR_GET_NAME:
        return os_copy_to_user(task, args[1], process->name, sizeof process->name);
    case PR_SET_PDEATHSIG:
        return args[1] > OS_NSIG ? -OS_EINVAL : 0;
    case PR_GET_PDEATHSIG:
    case PR_GET_CHILD_SUBREAPER:
        return os_copy_to_user(task, args[1], &zero, sizeof zero);
    case PR_GET_DUMPABLE:
        return 1;
    case PR_SET_DUMPABLE:
        return args[1] > 1 ? -OS_EINVAL : 0;
    case PR_GET_TIMERSLACK:
        return TIMER_SLACK_NS;
    case PR_SET_TIMERSLACK:
    case PR_SET_NO_NEW_PRIVS:
    case PR_GET_NO_NEW_PRIVS:
    case PR_CAPBSET_READ:
    case PR_GET_SECUREBITS:
        return 0;
    default:
        return -OS_EINVAL;
    }
}
