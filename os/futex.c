/* futex.c: sleeping on a word of memory, as locks and threads of user programs do.
 *
 * It owns the futex fields of tasks. A futex has no object of its own: it is a place (a memory
 * object and an offset if the memory is shared, else the space and the address), and who sleeps
 * there says so in his own struct os_task. Waking looks through all tasks, first come first served
 * by a ticket. (A hash of queues was rejected: there are tens of tasks, not thousands.)
 *
 *      FUTEX_WAIT: word == expected? ─┬─ yes ─▶ key, ticket, asleep
 *                                     └─ no ──▶ EAGAIN
 *      FUTEX_WAKE: the lowest tickets of the key ─▶ woken: the repeated call answers 0
 *
 * I1  futex_waiting is true only in a task whose call in progress is FUTEX_WAIT(_BITSET).
 * I2  Two tasks have equal keys exactly if they mean the same bytes of memory.
 *
 * Since calls are not interrupted, reading the word and going to sleep is one step without a lock.
 * Failures: EAGAIN, ETIMEDOUT, EINVAL, EFAULT, EINTR, and of locks with an owner EDEADLK, EPERM,
 * ESRCH; waiting for such a one on a condition (FUTEX_WAIT_REQUEUE_PI) is ENOSYS. Called by the
 * table, process.c (a thread's end). Audit: tests/run/proc_thread.c.
 */
#include "os/calls.h"
#include "os/process.h"

#include <string.h>

#define COMMAND_MASK (~(uint64_t)(OS_FUTEX_PRIVATE_FLAG | OS_FUTEX_CLOCK_REALTIME) & UINT32_MAX)
/* The robust list of a dead thread is walked for this many locks (ROBUST_LIST_LIMIT). */
#define ROBUST_LOCKS_MAX 2048
#define FUTEX_TID_MASK   0x3fffffffu
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_WAITERS    0x80000000u
/* Who waits for a lock with an owner: none of the bits of FUTEX_WAIT, whose wakers do not mean him.
 */
#define PI_BITS 0u

/* I2. False: nothing is mapped there, or it is not a whole word. */
static bool key_of(struct os_task *task, uint64_t va, struct os_futex_key *key) {
    struct quire_space *space = task->process->space;
    struct quire_region_info region;
    if (va & 3 || !space || va >= OS_USER_HIGH ||
        !quire_region_at_or_after(space, quire_va(va), false, &region) || region.start.value > va)
        return false;
    if (region.flags & QUIRE_MAP_SHARED && region.object)
        *key =
            (struct os_futex_key){region.object, region.offset_bytes + (va - region.start.value)};
    else
        *key = (struct os_futex_key){space, va};
    return true;
}

static bool same_key(const struct os_futex_key *a, const struct os_futex_key *b) {
    return a->place == b->place && a->offset == b->offset;
}

/* The one who has waited longest there with one of these bits; NULL: nobody. */
static struct os_task *first_sleeper(struct os *os, const struct os_futex_key *key, uint32_t bits) {
    struct os_task *first = NULL;
    for (struct os_process *process = os->processes; process; process = process->next)
        for (struct os_task *task = process->tasks; task; task = task->next)
            if (task->state != OS_ZOMBIE && task->futex_waiting && !task->futex_woken &&
                (bits == PI_BITS ? task->futex_bits == PI_BITS : (task->futex_bits & bits) != 0) &&
                same_key(&task->futex, key) && (!first || task->futex_ticket < first->futex_ticket))
                first = task;
    return first;
}

static int64_t wake_key(struct os *os, const struct os_futex_key *key, int64_t count,
                        uint32_t bits) {
    int64_t woken = 0;
    while (woken < count) {
        struct os_task *task = first_sleeper(os, key, bits);
        if (!task)
            break;
        task->futex_woken = true;
        os_task_wake(task);
        woken++;
    }
    return woken;
}

int64_t os_futex_wake(struct os_task *task, uint64_t va, int64_t count, uint32_t bits) {
    struct os_futex_key key;
    if (va & 3)
        return -OS_EINVAL;
    if (bits == 0)
        return -OS_EINVAL;
    if (!key_of(task, va, &key))
        return -OS_EFAULT;
    return wake_key(task->os, &key, count, bits);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* First run: set the moment at which to give up. FUTEX_WAIT counts from now, WAIT_BITSET is
 * absolute. */
static int64_t set_deadline(struct os_task *task, uint64_t operation, uint64_t timeout_va) {
    struct os_timespec timeout;
    if (timeout_va == 0)
        return 0;
    if (os_copy_from_user(task, &timeout, timeout_va, sizeof timeout) != 0)
        return -OS_EFAULT;
    if (timeout.seconds < 0 || (uint64_t)timeout.nanoseconds >= OS_NS_PER_SECOND)
        return -OS_EINVAL;
    uint64_t now = os_now_ns(task->os), ahead = os_deadline(task->os, &timeout) - now;
    if ((operation & COMMAND_MASK) == OS_FUTEX_WAIT) {
        task->deadline_ns = now + ahead;
        return 0;
    }
    bool realtime =
        operation & OS_FUTEX_CLOCK_REALTIME || (operation & COMMAND_MASK) == OS_FUTEX_LOCK_PI;
    uint64_t base = realtime ? os_realtime_ns(task->os) : now;
    task->deadline_ns = ahead > base ? now + (ahead - base) : now;
    return 0;
}

/* => task->futex is the key */
static void queue_up(struct os_task *task, uint32_t bits) {
    task->futex_bits = bits;
    task->futex_ticket = ++task->os->futex_tickets;
    task->futex_woken = false;
    task->futex_waiting = true;
}

/* Until somebody wakes it, or the deadline has passed. => it queued up */
static int64_t sleep_on(struct os_task *task) {
    if (task->deadline_ns <= os_now_ns(task->os)) {
        task->futex_waiting = false;
        return -OS_ETIMEDOUT;
    }
    os_wait_on(task, &task->futex, task->deadline_ns); /* only wake_key and the clock know it */
    return OS_WAIT;
}

static int64_t futex_wait(struct os_task *task, const uint64_t args[6], uint32_t bits) {
    uint32_t value;
    if (bits == 0 || args[0] & 3)
        return -OS_EINVAL;
    if (task->restarted && task->futex_waiting) {
        if (task->futex_woken) {
            task->futex_waiting = false;
            return 0;
        }
    } else {
        int64_t error = set_deadline(task, args[1], args[3]);
        if (error)
            return error;
        if (os_copy_from_user(task, &value, args[0], sizeof value) != 0 ||
            !key_of(task, args[0], &task->futex))
            return -OS_EFAULT;
        if (value != (uint32_t)args[2])
            return -OS_EAGAIN;
        queue_up(task, bits);
    }
    return sleep_on(task);
}

/* ---- the other operations -------------------------------------------------------------------- */

static int64_t futex_requeue(struct os_task *task, const uint64_t args[6], bool compare) {
    struct os_futex_key from, to;
    uint32_t value;
    int64_t wakes = (int32_t)args[2], moves = (int32_t)args[3];
    if (wakes < 0 || moves < 0 || (args[0] | args[4]) & 3)
        return -OS_EINVAL;
    if (!key_of(task, args[0], &from) || !key_of(task, args[4], &to))
        return -OS_EFAULT;
    if (compare) {
        if (os_copy_from_user(task, &value, args[0], sizeof value) != 0)
            return -OS_EFAULT;
        if (value != (uint32_t)args[5])
            return -OS_EAGAIN;
    }
    int64_t done = wake_key(task->os, &from, wakes, UINT32_MAX);
    if (same_key(&from, &to))
        return done;
    for (int64_t moved = 0; moved < moves; moved++) {
        struct os_task *sleeper = first_sleeper(task->os, &from, UINT32_MAX);
        if (!sleeper)
            break;
        sleeper->futex = to;
        sleeper->futex_ticket = ++task->os->futex_tickets;
        done++;
    }
    return done;
}

static uint32_t modified(uint32_t operation, uint32_t old, uint32_t argument) {
    switch (operation) {
    case 0:
        return argument;
    case 1:
        return old + argument;
    case 2:
        return old | argument;
    case 3:
        return old & ~argument;
    default:
        return old ^ argument;
    }
}

static bool compares(uint32_t comparison, int32_t old, int32_t argument) {
    switch (comparison) {
    case 0:
        return old == argument;
    case 1:
        return old != argument;
    case 2:
        return old < argument;
    case 3:
        return old <= argument;
    case 4:
        return old > argument;
    default:
        return old >= argument;
    }
}

/* FUTEX_WAKE_OP, futex(2): change the second word, wake the first, and the second if its old value
 * was as described. The last argument packs operation, comparison and two 12-bit numbers. */
static int64_t futex_wake_op(struct os_task *task, const uint64_t args[6]) {
    uint32_t packed = (uint32_t)args[5], old, new;
    uint32_t operation = packed >> 28 & 7, comparison = packed >> 24 & 15;
    int32_t argument = (int32_t)(packed << 8) >> 20, compared = (int32_t)(packed << 20) >> 20;
    if (operation > 4 || comparison > 5 || (args[0] | args[4]) & 3)
        return -OS_EINVAL;
    if (packed >> 31) {
        if (argument < 0 || argument > 31)
            return -OS_EINVAL;
        argument = (int32_t)(1u << argument);
    }
    if (os_copy_from_user(task, &old, args[4], sizeof old) != 0)
        return -OS_EFAULT;
    new = modified(operation, old, (uint32_t)argument);
    if (os_copy_to_user(task, args[4], &new, sizeof new) != 0)
        return -OS_EFAULT;
    int64_t woken = os_futex_wake(task, args[0], (int32_t)args[2], UINT32_MAX);
    if (woken >= 0 && compares(comparison, (int32_t)old, compared)) {
        int64_t more = os_futex_wake(task, args[4], (int32_t)args[3], UINT32_MAX);
        woken = more < 0 ? more : woken + more;
    }
    return woken;
}

/* ---- priority inheritance -------------------------------------------------------------------- */

/* The word is the owner's tid, 0 if free; bits on top say that somebody waits, or that an owner
 * died (futex(2), FUTEX_LOCK_PI). All tasks here have the same priority, so there is nothing to
 * inherit: what remains is that the kernel hands the lock over, in the order of waiting. */
static void hand_over(struct os_task *giver, uint64_t va, const struct os_futex_key *key,
                      uint32_t died) {
    struct os_task *next = first_sleeper(giver->os, key, PI_BITS);
    uint32_t word = died;
    if (next) {
        next->futex_woken = true;
        word |= (uint32_t)next->tid;
        if (first_sleeper(giver->os, key, PI_BITS))
            word |= FUTEX_WAITERS;
        os_task_wake(next);
    }
    os_copy_to_user(giver, va, &word, sizeof word);
}

static int64_t futex_lock_pi(struct os_task *task, const uint64_t args[6], bool try) {
    uint32_t word;
    if (args[0] & 3)
        return -OS_EINVAL;
    if (task->restarted && task->futex_waiting) {
        if (task->futex_woken) {
            task->futex_waiting = false;
            return 0;
        }
    } else {
        int64_t error = try ? 0 : set_deadline(task, args[1], args[3]);
        if (error)
            return error;
        if (os_copy_from_user(task, &word, args[0], sizeof word) != 0 ||
            !key_of(task, args[0], &task->futex))
            return -OS_EFAULT;
        uint32_t owner = word & FUTEX_TID_MASK, died = word & FUTEX_OWNER_DIED;
        if (owner == (uint32_t)task->tid)
            return -OS_EDEADLK;
        if (owner == 0) {
            word = (uint32_t)task->tid | died | (word & FUTEX_WAITERS);
            return os_copy_to_user(task, args[0], &word, sizeof word);
        }
        if (try)
            return -OS_EAGAIN;
        if (!os_task_by_tid(task->os, (int)owner))
            return -OS_ESRCH;
        word |= FUTEX_WAITERS;
        if (os_copy_to_user(task, args[0], &word, sizeof word) != 0)
            return -OS_EFAULT;
        queue_up(task, PI_BITS);
    }
    return sleep_on(task);
}

static int64_t futex_unlock_pi(struct os_task *task, uint64_t va) {
    struct os_futex_key key;
    uint32_t word;
    if (va & 3)
        return -OS_EINVAL;
    if (os_copy_from_user(task, &word, va, sizeof word) != 0 || !key_of(task, va, &key))
        return -OS_EFAULT;
    if ((word & FUTEX_TID_MASK) != (uint32_t)task->tid)
        return -OS_EPERM;
    hand_over(task, va, &key, 0);
    return 0;
}

int64_t os_sys_futex(struct os_task *task, const uint64_t args[6]) {
    switch (args[1] & COMMAND_MASK) {
    case OS_FUTEX_LOCK_PI:
    case OS_FUTEX_LOCK_PI2:
        return futex_lock_pi(task, args, false);
    case OS_FUTEX_TRYLOCK_PI:
        return futex_lock_pi(task, args, true);
    case OS_FUTEX_UNLOCK_PI:
        return futex_unlock_pi(task, args[0]);
    case OS_FUTEX_WAIT:
        return futex_wait(task, args, UINT32_MAX);
    case OS_FUTEX_WAIT_BITSET:
        return futex_wait(task, args, (uint32_t)args[5]);
    case OS_FUTEX_WAKE:
        return os_futex_wake(task, args[0], (int32_t)args[2], UINT32_MAX);
    case OS_FUTEX_WAKE_BITSET:
        return os_futex_wake(task, args[0], (int32_t)args[2], (uint32_t)args[5]);
    case OS_FUTEX_REQUEUE:
        return futex_requeue(task, args, false);
    case OS_FUTEX_CMP_REQUEUE:
        return futex_requeue(task, args, true);
    case OS_FUTEX_WAKE_OP:
        return futex_wake_op(task, args);
    default:
        return -OS_ENOSYS;
    }
}

/* ---- robust locks ---------------------------------------------------------------------------- */

#define ROBUST_HEAD_BYTES 24 /* next, offset of the lock word, the one in progress */

int64_t os_sys_set_robust_list(struct os_task *task, const uint64_t args[6]) {
    if (args[1] != ROBUST_HEAD_BYTES)
        return -OS_EINVAL;
    task->robust_list_va = args[0];
    return 0;
}

int64_t os_sys_get_robust_list(struct os_task *task, const uint64_t args[6]) {
    struct os_task *of = (int)args[0] ? os_task_by_tid(task->os, (int)args[0]) : task;
    uint64_t length = ROBUST_HEAD_BYTES;
    if (!of)
        return -OS_ESRCH;
    if (os_copy_to_user(task, args[1], &of->robust_list_va, sizeof of->robust_list_va) != 0 ||
        os_copy_to_user(task, args[2], &length, sizeof length) != 0)
        return -OS_EFAULT;
    return 0;
}

/* A lock whose owner has died: say so in its word, and let one waiter see it. */
static void owner_died(struct os_task *task, uint64_t va, bool inherits) {
    uint32_t word;
    struct os_futex_key key;
    if (va & 3 || os_copy_from_user(task, &word, va, sizeof word) != 0 ||
        (word & FUTEX_TID_MASK) != (uint32_t)task->tid)
        return;
    if (inherits && key_of(task, va, &key)) {
        hand_over(task, va, &key, FUTEX_OWNER_DIED);
        return;
    }
    uint32_t now = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    if (os_copy_to_user(task, va, &now, sizeof now) == 0 && word & FUTEX_WAITERS)
        os_futex_wake(task, va, 1, UINT32_MAX);
}

void os_robust_list_exit(struct os_task *task) {
    struct {
        uint64_t next, offset, pending;
    } head;
    uint64_t list = task->robust_list_va;
    task->robust_list_va = 0;
    if (list == 0 || os_copy_from_user(task, &head, list, sizeof head) != 0)
        return;
    uint64_t entry = head.next;
    for (unsigned i = 0; i < ROBUST_LOCKS_MAX && (entry & ~UINT64_C(1)) != list; i++) {
        uint64_t next, at = entry & ~UINT64_C(1);
        bool valid = os_copy_from_user(task, &next, at, sizeof next) == 0;
        if (at != (head.pending & ~UINT64_C(1)))
            owner_died(task, at + head.offset, entry & 1);
        if (!valid)
            return;
        entry = next;
    }
    if (head.pending)
        owner_died(task, (head.pending & ~UINT64_C(1)) + head.offset, head.pending & 1);
}
