/* ids.c: who a process is: ids, groups, sessions, users, limits, usage.
 *
 * It owns no state of its own: all of it is in struct os_process. Users are the host's: files are
 * opened with the host user's rights, so claiming another one would be a lie; changing to another
 * user is EPERM. (Pretending to be root was rejected: programs then expect to be able to chown.)
 *
 *      session ⊇ group ⊇ process ⊇ task         kill(-group), wait4(-group) use them
 *
 * I1  A group leader's pid is the group's id; the same for sessions.
 * I2  For each limit, soft <= hard.
 *
 * Failures: EPERM, ESRCH, EINVAL, EFAULT. Called by the table. Audit: none needed.
 */
#include "os/calls.h"
#include "os/process.h"

#include <string.h>
#include <unistd.h>

#define NO_CHANGE UINT32_MAX /* -1 as an id: leave it */

int64_t os_sys_getpid(struct os_task *task, const uint64_t args[6]) {
    (void)args;
    return task->process->pid;
}

int64_t os_sys_getppid(struct os_task *task, const uint64_t args[6]) {
    (void)args;
    return task->process->parent_pid;
}

int64_t os_sys_gettid(struct os_task *task, const uint64_t args[6]) {
    (void)args;
    return task->tid;
}

int64_t os_sys_set_tid_address(struct os_task *task, const uint64_t args[6]) {
    task->clear_tid_va = args[0];
    return task->tid;
}

/* ---- groups and sessions --------------------------------------------------------------------- */

static struct os_process *self_or(struct os_task *task, int pid) {
    return pid == 0 ? task->process : os_process_by_pid(task->os, pid);
}

int64_t os_sys_getpgid(struct os_task *task, const uint64_t args[6]) {
    struct os_process *process = self_or(task, (int)args[0]);
    return process ? process->group : -OS_ESRCH;
}

int64_t os_sys_getsid(struct os_task *task, const uint64_t args[6]) {
    struct os_process *process = self_or(task, (int)args[0]);
    return process ? process->session : -OS_ESRCH;
}

static bool group_exists(struct os *os, int group, int session) {
    for (struct os_process *process = os->processes; process; process = process->next)
        if (process->group == group && process->session == session)
            return true;
    return false;
}

int64_t os_sys_setpgid(struct os_task *task, const uint64_t args[6]) {
    struct os_process *self = task->process, *process = self_or(task, (int)args[0]);
    int group = (int)args[1];
    if (group < 0)
        return -OS_EINVAL;
    if (!process || process->zombie)
        return -OS_ESRCH;
    if (group == 0)
        group = process->pid;
    if (process != self) {
        if (process->parent_pid != self->pid)
            return -OS_ESRCH;
        if (process->has_execed)
            return -OS_EACCES;
        if (process->session != self->session)
            return -OS_EPERM;
    }
    if (process->session == process->pid)
        return -OS_EPERM; /* I1 */
    if (group != process->pid && !group_exists(task->os, group, self->session))
        return -OS_EPERM;
    process->group = group;
    return 0;
}

int64_t os_sys_setsid(struct os_task *task, const uint64_t args[6]) {
    (void)args;
    struct os_process *process = task->process;
    for (struct os_process *other = task->os->processes; other; other = other->next)
        if (other->group == process->pid)
            return -OS_EPERM;
    process->session = process->group = process->pid;
    return process->pid;
}

/* ---- users ----------------------------------------------------------------------------------- */

int64_t os_sys_getuid(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return getuid();
}

int64_t os_sys_geteuid(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return geteuid();
}

int64_t os_sys_getgid(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return getgid();
}

int64_t os_sys_getegid(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return getegid();
}

/* One group more than none: the effective one. */
int64_t os_sys_getgroups(struct os_task *task, const uint64_t args[6]) {
    uint32_t group = getegid();
    if ((int)args[0] < 0)
        return -OS_EINVAL;
    if ((int)args[0] > 0 && os_copy_to_user(task, args[1], &group, sizeof group) != 0)
        return -OS_EFAULT;
    return 1;
}

static int64_t put_three(struct os_task *task, const uint64_t args[6], uint32_t real,
                         uint32_t effective) {
    if (os_copy_to_user(task, args[0], &real, sizeof real) != 0 ||
        os_copy_to_user(task, args[1], &effective, sizeof effective) != 0 ||
        os_copy_to_user(task, args[2], &effective, sizeof effective) != 0)
        return -OS_EFAULT;
    return 0;
}

int64_t os_sys_getresuid(struct os_task *task, const uint64_t args[6]) {
    return put_three(task, args, getuid(), geteuid());
}

int64_t os_sys_getresgid(struct os_task *task, const uint64_t args[6]) {
    return put_three(task, args, getgid(), getegid());
}

/* Setting ids to what they are is fine; anything else needs what we have not got. */
static int64_t only_these(const uint64_t *ids, unsigned count, uint32_t real, uint32_t effective) {
    for (unsigned i = 0; i < count; i++) {
        uint32_t id = (uint32_t)ids[i];
        if (id != NO_CHANGE && id != real && id != effective)
            return -OS_EPERM;
    }
    return 0;
}

int64_t os_sys_setuid(struct os_task *task, const uint64_t args[6]) {
    (void)task;
    return only_these(args, 1, getuid(), geteuid());
}

int64_t os_sys_setgid(struct os_task *task, const uint64_t args[6]) {
    (void)task;
    return only_these(args, 1, getgid(), getegid());
}

int64_t os_sys_setreuid(struct os_task *task, const uint64_t args[6]) {
    (void)task;
    return only_these(args, 2, getuid(), geteuid());
}

int64_t os_sys_setregid(struct os_task *task, const uint64_t args[6]) {
    (void)task;
    return only_these(args, 2, getgid(), getegid());
}

int64_t os_sys_setresuid(struct os_task *task, const uint64_t args[6]) {
    (void)task;
    return only_these(args, 3, getuid(), geteuid());
}

int64_t os_sys_setresgid(struct os_task *task, const uint64_t args[6]) {
    (void)task;
    return only_these(args, 3, getgid(), getegid());
}

int64_t os_sys_setgroups(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return -OS_EPERM;
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* I2 */
static int64_t set_limit(struct os_process *process, uint64_t which, const uint64_t wanted[2]) {
    uint64_t *limit = process->rlimits[which];
    if (wanted[0] > wanted[1])
        return -OS_EINVAL;
    if (wanted[1] > limit[1])
        return -OS_EPERM;
    limit[0] = wanted[0];
    limit[1] = wanted[1];
    os_memory_apply_limits(process);
    return 0;
}

int64_t os_sys_prlimit64(struct os_task *task, const uint64_t args[6]) {
    struct os_process *process = self_or(task, (int)args[0]);
    uint64_t wanted[2], old[2];
    if ((args[1] & UINT32_MAX) >= OS_RLIMITS)
        return -OS_EINVAL;
    uint64_t which = args[1] & UINT32_MAX;
    if (!process)
        return -OS_ESRCH;
    memcpy(old, process->rlimits[which], sizeof old);
    if (args[2]) {
        if (os_copy_from_user(task, wanted, args[2], sizeof wanted) != 0)
            return -OS_EFAULT;
        int64_t error = set_limit(process, which, wanted);
        if (error)
            return error;
    }
    return args[3] ? os_copy_to_user(task, args[3], old, sizeof old) : 0;
}

int64_t os_sys_getrlimit(struct os_task *task, const uint64_t args[6]) {
    if ((args[0] & UINT32_MAX) >= OS_RLIMITS)
        return -OS_EINVAL;
    return os_copy_to_user(task, args[1], task->process->rlimits[args[0] & UINT32_MAX], 16);
}

int64_t os_sys_setrlimit(struct os_task *task, const uint64_t args[6]) {
    uint64_t wanted[2];
    if ((args[0] & UINT32_MAX) >= OS_RLIMITS)
        return -OS_EINVAL;
    if (os_copy_from_user(task, wanted, args[1], sizeof wanted) != 0)
        return -OS_EFAULT;
    return set_limit(task->process, args[0] & UINT32_MAX, wanted);
}

#define RUSAGE_SELF     0
#define RUSAGE_THREAD   1
#define RUSAGE_CHILDREN (-1)

int64_t os_sys_getrusage(struct os_task *task, const uint64_t args[6]) {
    struct os_rusage usage;
    switch ((int)args[0]) {
    case RUSAGE_SELF:
    case RUSAGE_THREAD:
        os_process_usage(task->process, &usage);
        break;
    case RUSAGE_CHILDREN:
        usage = task->process->child_usage;
        break;
    default:
        return -OS_EINVAL;
    }
    return os_copy_to_user(task, args[1], &usage, sizeof usage);
}

int64_t os_sys_setfsuid(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return geteuid(); /* the one that was; it never changes */
}

int64_t os_sys_setfsgid(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return getegid();
}

/* ---- capabilities ---------------------------------------------------------------------------- */

/* struct __user_cap_header_struct and three words for each 32 capabilities (capget(2)). The host's
 * root has what a root has; nobody can take or get any. */
#define CAPABILITY_VERSION_3 0x20080522u
#define CAPABILITIES         41 /* CAP_CHECKPOINT_RESTORE is 40 */

int64_t os_sys_capget(struct os_task *task, const uint64_t args[6]) {
    struct {
        uint32_t version;
        int32_t pid;
    } header;
    if (os_copy_from_user(task, &header, args[0], sizeof header) != 0)
        return -OS_EFAULT;
    if (header.version != CAPABILITY_VERSION_3) {
        header.version = CAPABILITY_VERSION_3;
        os_copy_to_user(task, args[0], &header, sizeof header);
        return args[1] ? -OS_EINVAL : 0;
    }
    if (header.pid < 0)
        return -OS_EINVAL;
    if (header.pid && !os_process_by_pid(task->os, header.pid))
        return -OS_ESRCH;
    uint64_t all = geteuid() == 0 ? (UINT64_C(1) << CAPABILITIES) - 1 : 0;
    uint32_t low = (uint32_t)all, high = (uint32_t)(all >> 32);
    uint32_t sets[6] = {low, low, 0, high, high, 0}; /* effective, permitted, inheritable */
    return args[1] ? os_copy_to_user(task, args[1], sets, sizeof sets) : 0;
}

int64_t os_sys_capset(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return geteuid() == 0 ? 0 : -OS_EPERM; /* dropping some changes nothing: the host decides */
}

int64_t os_sys_sethostname(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return -OS_EPERM;
}

int64_t os_sys_setdomainname(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return -OS_EPERM;
}
