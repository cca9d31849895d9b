/* fs_lock.c: advisory locks: fcntl's records and flock.
 *
 *   fs->locks: [device, inode, owner, first..last, read or write] ...
 *
 * The host cannot keep these: it would give each lock to the one host process that all programs
 * are. A record belongs to a process (or, by OFD commands, to an open file); a flock to an open
 * file.
 *
 * Invariants:
 *   I1  two records of different owners overlap only if both are for reading.
 *   I2  records of one owner on one file never overlap: setting one cuts what it covers.
 *   I3  all records of a process on a file go when it closes any descriptor of the file (POSIX).
 *
 * May fail: EAGAIN (would wait), EINTR, ENOLCK (host memory). Waiting: on the state of the file
 * side; each release wakes all who wait. Deadlocks among waiters are not searched for.
 */
#include "os/fs.h"

#include <stdlib.h>

/* A waiter looks again after this long: the owner may have ended without a word. */
#define OWNER_CHECK_NS 10000000u

struct os_lock {
    struct os_lock *next;
    uint64_t device, inode;
    const struct os_file *file; /* owner of an OFD lock, or NULL */
    int pid;                    /* owner otherwise */
    uint64_t first, last;       /* bytes, both included */
    bool write;
};

struct range {
    uint64_t first, last;
};

static bool same_file(const struct os_lock *lock, uint64_t device, uint64_t inode) {
    return lock->inode == inode && lock->device == device;
}

static bool same_owner(const struct os_lock *lock, const struct os_lock *other) {
    return lock->file == other->file && (lock->file || lock->pid == other->pid);
}

void os_locks_destroy(struct os_fs *fs) {
    while (fs->locks) {
        struct os_lock *lock = fs->locks;
        fs->locks = lock->next;
        free(lock);
    }
}

static void forget(struct os_fs *fs, int pid, const struct os_file *file, uint64_t device,
                   uint64_t inode) {
    bool any = false;
    for (struct os_lock **link = &fs->locks; *link;) {
        struct os_lock *lock = *link;
        if (same_file(lock, device, inode) && lock->file == file && (file || lock->pid == pid)) {
            *link = lock->next;
            free(lock);
            any = true;
        } else {
            link = &lock->next;
        }
    }
    if (any)
        os_wake(fs->os, &fs->locks);
}

void os_locks_forget(struct os_fs *fs, int pid, uint64_t device, uint64_t inode) {
    forget(fs, pid, NULL, device, inode); /* I3 */
}

void os_locks_forget_file(struct os_fs *fs, const struct os_file *file) {
    if (file->inode)
        forget(fs, 0, file, file->device, file->inode);
}

/* A process that ended has no locks, though its records may still be on the list. */
static bool is_dead(const struct os_fs *fs, const struct os_lock *lock) {
    const struct os_process *process = lock->file ? NULL : os_process_by_pid(fs->os, lock->pid);
    return !lock->file && (!process || process->zombie);
}

static const struct os_lock *conflict(const struct os_fs *fs, const struct os_lock *wanted) {
    for (const struct os_lock *lock = fs->locks; lock; lock = lock->next)
        if (same_file(lock, wanted->device, wanted->inode) && !same_owner(lock, wanted) &&
            lock->first <= wanted->last && wanted->first <= lock->last &&
            (lock->write || wanted->write) && !is_dead(fs, lock)) /* I1 */
            return lock;
    return NULL;
}

/* Cut the range out of what the owner has. One record may become two: spare is used for that. */
static void cut(struct os_fs *fs, const struct os_lock *owner, struct os_lock **spare) {
    for (struct os_lock **link = &fs->locks; *link;) {
        struct os_lock *lock = *link;
        if (!same_file(lock, owner->device, owner->inode) || !same_owner(lock, owner) ||
            lock->first > owner->last || owner->first > lock->last) {
            link = &lock->next;
            continue;
        }
        bool left = lock->first<owner->first, right = lock->last> owner->last;
        if (left && right) {
            struct os_lock *tail = *spare;
            *spare = NULL;
            *tail = *lock;
            tail->first = owner->last + 1;
            lock->last = owner->first - 1;
            lock->next = tail;
            link = &tail->next;
        } else if (left) {
            lock->last = owner->first - 1;
            link = &lock->next;
        } else if (right) {
            lock->first = owner->last + 1;
            link = &lock->next;
        } else {
            *link = lock->next;
            free(lock);
        }
    }
}

/* l_whence, l_start, l_len to a range. */
static int64_t range_of(struct os_file *file, const struct os_flock_record *record,
                        struct range *range) {
    int64_t base = 0;
    struct os_stat stat;
    if (record->whence == OS_SEEK_CUR)
        base = (int64_t)file->offset;
    else if (record->whence == OS_SEEK_END && os_file_stat(file, &stat) == 0)
        base = stat.size;
    else if (record->whence != OS_SEEK_SET)
        return -OS_EINVAL;
    int64_t start, end;
    if (__builtin_add_overflow(base, record->start, &start) ||
        __builtin_add_overflow(start, record->length, &end))
        return -OS_EOVERFLOW;
    if (record->length < 0) { /* the bytes before start */
        int64_t swap = start;
        start = end;
        end = swap;
    }
    if (start < 0)
        return -OS_EINVAL;
    *range = (struct range){(uint64_t)start, record->length ? (uint64_t)end - 1 : INT64_MAX};
    return 0;
}

static int64_t tell(struct os_task *task, const struct os_lock *wanted,
                    struct os_flock_record *record, uint64_t va) {
    const struct os_lock *other = conflict(os_fs(task->os), wanted);
    record->type = OS_F_UNLCK;
    if (other) {
        record->type = other->write ? OS_F_WRLCK : OS_F_RDLCK;
        record->whence = OS_SEEK_SET;
        record->start = (int64_t)other->first;
        record->length = other->last == INT64_MAX ? 0 : (int64_t)(other->last - other->first + 1);
        record->pid = other->file ? -1 : other->pid;
    }
    return os_copy_to_user(task, va, record, sizeof *record);
}

static int64_t set(struct os_task *task, const struct os_lock *wanted, bool unlock, bool wait) {
    struct os_fs *fs = os_fs(task->os);
    if (!unlock && conflict(fs, wanted)) {
        if (!wait)
            return -OS_EAGAIN;
        os_wait_on(task, &fs->locks, os_now_ns(task->os) + OWNER_CHECK_NS);
        return OS_WAIT;
    }
    struct os_lock *lock = malloc(sizeof *lock), *spare = malloc(sizeof *spare);
    if (!lock || !spare) {
        free(lock);
        free(spare);
        return -OS_ENOLCK;
    }
    cut(fs, wanted, &spare); /* I2 */
    free(spare);
    if (unlock) {
        free(lock);
    } else {
        *lock = *wanted;
        lock->next = fs->locks;
        fs->locks = lock;
    }
    os_wake(task->os, &fs->locks);
    return 0;
}

int64_t os_lock_fcntl(struct os_task *task, struct os_file *file, int command, uint64_t va) {
    struct os_flock_record record;
    struct range range = {0, 0};
    bool open_file = command >= OS_F_OFD_GETLK;
    int64_t result = os_copy_from_user(task, &record, va, sizeof record);
    if (result == 0)
        result = range_of(file, &record, &range);
    if (result < 0)
        return result;
    if (record.type < OS_F_RDLCK || record.type > OS_F_UNLCK || (file->flags & OS_O_PATH))
        return file->flags & OS_O_PATH ? -OS_EBADF : -OS_EINVAL;
    struct os_lock wanted = {.device = file->device,
                             .inode = file->inode,
                             .file = open_file ? file : NULL,
                             .pid = task->process->pid,
                             .first = range.first,
                             .last = range.last,
                             .write = record.type == OS_F_WRLCK};
    if (command == OS_F_GETLK || command == OS_F_OFD_GETLK)
        return record.type == OS_F_UNLCK ? -OS_EINVAL : tell(task, &wanted, &record, va);
    if ((record.type == OS_F_RDLCK && !os_file_readable(file)) ||
        (record.type == OS_F_WRLCK && !os_file_writable(file)))
        return -OS_EBADF;
    return set(task, &wanted, record.type == OS_F_UNLCK,
               command == OS_F_SETLKW || command == OS_F_OFD_SETLKW);
}

/* ---- flock ----------------------------------------------------------------------------------- */

OS_CALL(flock) {
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    struct os_fs *fs = os_fs(task->os);
    int operation = (int)args[1] & ~OS_LOCK_NB;
    if (!file || (file->flags & OS_O_PATH))
        return -OS_EBADF;
    if (operation != OS_LOCK_SH && operation != OS_LOCK_EX && operation != OS_LOCK_UN)
        return -OS_EINVAL;
    if (operation == OS_LOCK_UN) {
        file->lock = 0;
        os_wake(task->os, &fs->locks);
        return 0;
    }
    for (const struct os_file *other = fs->files; other; other = other->next) {
        bool clash = other != file && other->lock && other->inode == file->inode &&
                     other->device == file->device &&
                     (other->lock == OS_LOCK_EX || operation == OS_LOCK_EX);
        if (!clash)
            continue;
        if ((int)args[1] & OS_LOCK_NB)
            return -OS_EAGAIN;
        os_wait_on(task, &fs->locks, UINT64_MAX);
        return OS_WAIT;
    }
    file->lock = operation;
    os_wake(task->os, &fs->locks);
    return 0;
}
