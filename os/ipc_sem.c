/* ipc_sem.c: System V semaphores: semget, semop, semtimedop, semctl, and what SEM_UNDO promises.
 *
 *   semop: all operations of the call, or none ──no──> asleep on the set; every change looks again
 *
 * The operations are tried on a copy of the values: if one must wait, nothing has happened.
 * What a process changed with SEM_UNDO is noted with it and taken back when it ends.
 *
 * I1  values are 0 to VALUE_MAX.
 * I2  a note of undo names a set that exists; removing the set removes its notes.
 *
 * May fail: as semop(2), semctl(2), semget(2).
 */
#include "os/ipc.h"

#include <stdlib.h>
#include <string.h>

#define SETS_MAX  32000 /* SEMMNI */
#define SET_MAX   250   /* SEMMSL in old kernels; 32000 today: programs use a handful */
#define CALL_MAX  500   /* SEMOPM */
#define VALUE_MAX 32767 /* SEMVMX */
#define NOWAIT    04000 /* IPC_NOWAIT */
#define UNDO      0x1000

enum sem_command {
    SEM_GETPID = 11,
    SEM_GETVAL = 12,
    SEM_GETALL = 13,
    SEM_GETNCNT = 14,
    SEM_GETZCNT = 15,
    SEM_SETVAL = 16,
    SEM_SETALL = 17,
    SEM_STAT = 18,
    SEM_INFO = 19,
    SEM_STAT_ANY = 20,
};

struct semaphore {
    int value, pid;
};

struct os_sem {
    struct os_ipc ipc; /* first */
    unsigned count;
    int64_t operation_time;
    struct semaphore semaphores[];
};

struct os_sem_undo {
    struct os_sem_undo *next;
    int id;
    unsigned number;
    int adjust;
};

struct sem_record { /* struct semid64_ds */
    struct os_ipc_permissions permissions;
    int64_t operation_time, change_time;
    uint64_t count, unused[2];
};

struct sem_operation {
    uint16_t number;
    int16_t operation, flags;
};

static struct os_sem *set_by_id(struct os *os, int id) {
    return (struct os_sem *)os_ipc_by_id(os->semaphores, id);
}

static void changed(struct os *os, struct os_sem *set) {
    os_wake(os, set);
}

/* ---- undo ------------------------------------------------------------------------------------ */

static struct os_sem_undo *undo_of(struct os_process *process, int id, unsigned number) {
    struct os_sem_undo *undo = process->sem_undos;
    while (undo && (undo->id != id || undo->number != number))
        undo = undo->next;
    if (undo)
        return undo;
    undo = calloc(1, sizeof *undo);
    if (!undo)
        return NULL;
    *undo = (struct os_sem_undo){process->sem_undos, id, number, 0};
    process->sem_undos = undo;
    return undo;
}

/* Forget what was noted about a set (number UINT_MAX: all of it). */
static void forget_undo(struct os *os, int id, unsigned number) {
    for (struct os_process *process = os->processes; process; process = process->next) {
        struct os_sem_undo **link = &process->sem_undos;
        while (*link) {
            struct os_sem_undo *undo = *link;
            if (undo->id == id && (number == UINT32_MAX || undo->number == number)) {
                *link = undo->next;
                free(undo);
            } else {
                link = &undo->next;
            }
        }
    }
}

void os_sem_exit(struct os_process *process) {
    while (process->sem_undos) {
        struct os_sem_undo *undo = process->sem_undos;
        struct os_sem *set = set_by_id(process->os, undo->id); /* I2 */
        process->sem_undos = undo->next;
        if (set && undo->adjust) {
            int value = set->semaphores[undo->number].value + undo->adjust;
            set->semaphores[undo->number].value = value < 0           ? 0
                                                  : value > VALUE_MAX ? VALUE_MAX
                                                                      : value; /* I1 */
            set->semaphores[undo->number].pid = process->pid;
            changed(process->os, set);
        }
        free(undo);
    }
}

/* ---- semget and semop ------------------------------------------------------------------------ */

int64_t os_sys_semget(struct os_task *task, const uint64_t args[6]) {
    struct os_ipc *found;
    uint32_t flags = (uint32_t)args[2];
    int count = (int)args[1];
    int64_t result = os_ipc_find(task->os->semaphores, (int32_t)args[0], flags, &found);
    if (count < 0 || count > SET_MAX)
        return -OS_EINVAL;
    if (result < 0)
        return result;
    if (result == 1)
        return (unsigned)count > ((struct os_sem *)found)->count ? -OS_EINVAL : os_ipc_id(found);
    if (count == 0)
        return -OS_EINVAL;
    struct os_sem *set = calloc(1, sizeof *set + (size_t)count * sizeof set->semaphores[0]);
    if (!set)
        return -OS_ENOMEM;
    set->count = (unsigned)count;
    result = os_ipc_insert(task->os, &task->os->semaphores, &set->ipc, (int32_t)args[0], flags,
                           SETS_MAX);
    if (result < 0)
        free(set);
    return result;
}

/* Try them on a copy. 0: they can all be done, *values are the outcome; -EAGAIN: one must wait,
 * *which; -ERANGE. */
static int64_t try(const struct os_sem *set, const struct sem_operation *operations, unsigned count,
                   int *values, unsigned *which) {
    for (unsigned i = 0; i < set->count; i++)
        values[i] = set->semaphores[i].value;
    for (*which = 0; *which < count; ++*which) {
        const struct sem_operation *operation = &operations[*which];
        int *value = &values[operation->number];
        if (operation->operation == 0 ? *value != 0 : *value + operation->operation < 0)
            return -OS_EAGAIN;
        *value += operation->operation;
        if (*value > VALUE_MAX)
            return -OS_ERANGE;
    }
    return 0;
}

static int64_t carry_out(struct os_task *task, struct os_sem *set,
                         const struct sem_operation *operations, unsigned count,
                         const int *values) {
    for (unsigned i = 0; i < count; i++) /* first what may fail */
        if (operations[i].flags & UNDO && operations[i].operation &&
            !undo_of(task->process, os_ipc_id(&set->ipc), operations[i].number))
            return -OS_ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        set->semaphores[operations[i].number].pid = task->process->pid;
        if (operations[i].flags & UNDO && operations[i].operation)
            undo_of(task->process, os_ipc_id(&set->ipc), operations[i].number)->adjust -=
                operations[i].operation;
    }
    for (unsigned i = 0; i < set->count; i++)
        set->semaphores[i].value = values[i];
    set->operation_time = os_ipc_now(task->os);
    changed(task->os, set);
    return 0;
}

static int64_t operate(struct os_task *task, const uint64_t args[6]) {
    struct sem_operation operations[CALL_MAX];
    int values[SET_MAX];
    unsigned which, count = (unsigned)args[2];
    struct os_sem *set = set_by_id(task->os, (int)args[0]);
    if ((int)args[0] < 0 || args[2] == 0)
        return -OS_EINVAL;
    if (args[2] > CALL_MAX)
        return -OS_E2BIG;
    if (os_copy_from_user(task, operations, args[1], count * sizeof operations[0]) != 0)
        return -OS_EFAULT;
    if (!set) /* while we slept: removed */
        return task->restarted ? -OS_EIDRM : -OS_EINVAL;
    bool alters = false;
    for (unsigned i = 0; i < count; i++) {
        if (operations[i].number >= set->count)
            return -OS_EFBIG;
        alters |= operations[i].operation != 0;
    }
    if (!os_ipc_permitted(&set->ipc, alters ? 2 : 4))
        return -OS_EACCES;
    task->sem_waits = -1;
    int64_t result = try(set, operations, count, values, &which);
    if (result == 0)
        return carry_out(task, set, operations, count, values);
    if (result != -OS_EAGAIN || operations[which].flags & NOWAIT)
        return result;
    if (task->deadline_ns <= os_now_ns(task->os))
        return -OS_EAGAIN;
    task->sem_waits = operations[which].number;
    task->sem_waits_for_zero = operations[which].operation == 0;
    os_wait_on(task, set, task->deadline_ns);
    return OS_WAIT;
}

int64_t os_sys_semop(struct os_task *task, const uint64_t args[6]) {
    return operate(task, args);
}

int64_t os_sys_semtimedop(struct os_task *task, const uint64_t args[6]) {
    struct os_timespec timeout;
    if (args[3] && !task->restarted) {
        if (os_copy_from_user(task, &timeout, args[3], sizeof timeout) != 0)
            return -OS_EFAULT;
        if (timeout.seconds < 0 || (uint64_t)timeout.nanoseconds >= OS_NS_PER_SECOND)
            return -OS_EINVAL;
        task->deadline_ns = os_deadline(task->os, &timeout);
    }
    return operate(task, args);
}

/* ---- semctl ---------------------------------------------------------------------------------- */

static int64_t count_waiters(const struct os *os, const struct os_sem *set, unsigned number,
                             bool zero) {
    int64_t count = 0;
    for (const struct os_process *process = os->processes; process; process = process->next)
        for (const struct os_task *task = process->tasks; task; task = task->next)
            count += task->state == OS_SLEEPING && task->channel == set &&
                     task->sem_waits == (int)number && task->sem_waits_for_zero == zero;
    return count;
}

static int64_t one_semaphore(struct os_task *task, struct os_sem *set, unsigned number, int command,
                             uint64_t argument) {
    if (number >= set->count)
        return -OS_EINVAL;
    struct semaphore *semaphore = &set->semaphores[number];
    switch (command) {
    case SEM_GETVAL:
        return semaphore->value;
    case SEM_GETPID:
        return semaphore->pid;
    case SEM_GETNCNT:
    case SEM_GETZCNT:
        return count_waiters(task->os, set, number, command == SEM_GETZCNT);
    default: /* SEM_SETVAL */
        if ((int)argument < 0 || (int)argument > VALUE_MAX)
            return -OS_ERANGE;
        forget_undo(task->os, os_ipc_id(&set->ipc), number);
        semaphore->value = (int)argument;
        semaphore->pid = task->process->pid;
        set->ipc.change_time = os_ipc_now(task->os);
        changed(task->os, set);
        return 0;
    }
}

static int64_t all_values(struct os_task *task, struct os_sem *set, bool sets, uint64_t va) {
    uint16_t values[SET_MAX];
    for (unsigned i = 0; i < set->count; i++)
        values[i] = (uint16_t)set->semaphores[i].value;
    if (!sets)
        return os_copy_to_user(task, va, values, set->count * sizeof values[0]);
    if (os_copy_from_user(task, values, va, set->count * sizeof values[0]) != 0)
        return -OS_EFAULT;
    for (unsigned i = 0; i < set->count; i++)
        if (values[i] > VALUE_MAX)
            return -OS_ERANGE;
    forget_undo(task->os, os_ipc_id(&set->ipc), UINT32_MAX);
    for (unsigned i = 0; i < set->count; i++) {
        set->semaphores[i].value = values[i];
        set->semaphores[i].pid = task->process->pid;
    }
    set->ipc.change_time = os_ipc_now(task->os);
    changed(task->os, set);
    return 0;
}

static int64_t status(struct os_task *task, const struct os_sem *set, uint64_t va) {
    struct sem_record record = {.operation_time = set->operation_time,
                                .change_time = set->ipc.change_time,
                                .count = set->count};
    os_ipc_describe(&set->ipc, &record.permissions);
    return os_copy_to_user(task, va, &record, sizeof record);
}

static int64_t information(struct os_task *task, bool usage, uint64_t va) {
    int32_t sets = 0, all = 0;
    for (const struct os_ipc *ipc = task->os->semaphores; ipc; ipc = ipc->next) {
        sets++;
        all += (int32_t)((const struct os_sem *)ipc)->count;
    }
    /* struct seminfo: map mni mns mnu msl opm ume usz vmx aem */
    int32_t info[10] = {
        SETS_MAX, SETS_MAX, SETS_MAX * SET_MAX, SETS_MAX * SET_MAX, SET_MAX,
        CALL_MAX, CALL_MAX, usage ? sets : 20,  VALUE_MAX,          usage ? all : VALUE_MAX};
    if (os_copy_to_user(task, va, info, sizeof info) != 0)
        return -OS_EFAULT;
    return os_ipc_highest(task->os->semaphores);
}

static void remove_set(struct os *os, struct os_sem *set) {
    forget_undo(os, os_ipc_id(&set->ipc), UINT32_MAX); /* I2 */
    changed(os, set);
    os_ipc_remove(&os->semaphores, &set->ipc);
    os->ipc_sequence++;
    free(set);
}

int64_t os_sys_semctl(struct os_task *task, const uint64_t args[6]) {
    int command = (int)args[2] & ~OS_IPC_64;
    if (command == OS_IPC_INFO || command == SEM_INFO)
        return information(task, command == SEM_INFO, args[3]);
    bool by_index = command == SEM_STAT || command == SEM_STAT_ANY;
    struct os_sem *set = by_index
                             ? (struct os_sem *)os_ipc_by_index(task->os->semaphores, (int)args[0])
                             : set_by_id(task->os, (int)args[0]);
    if (!set)
        return -OS_EINVAL;
    switch (command) {
    case OS_IPC_RMID:
        remove_set(task->os, set);
        return 0;
    case OS_IPC_SET: {
        struct sem_record record;
        if (os_copy_from_user(task, &record, args[3], sizeof record) != 0)
            return -OS_EFAULT;
        set->ipc.mode = record.permissions.mode & 0777;
        set->ipc.change_time = os_ipc_now(task->os);
        return 0;
    }
    case OS_IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY:
        if (status(task, set, args[3]) != 0)
            return -OS_EFAULT;
        return by_index ? os_ipc_id(&set->ipc) : 0;
    case SEM_GETALL:
    case SEM_SETALL:
        return all_values(task, set, command == SEM_SETALL, args[3]);
    case SEM_GETPID:
    case SEM_GETVAL:
    case SEM_GETNCNT:
    case SEM_GETZCNT:
    case SEM_SETVAL:
        return one_semaphore(task, set, (unsigned)args[1], command, args[3]);
    default:
        return -OS_EINVAL;
    }
}

void os_sem_destroy_all(struct os *os) {
    while (os->semaphores)
        remove_set(os, (struct os_sem *)os->semaphores);
}
