/* shm.c: System V shared memory: shmget, shmat, shmdt, shmctl, and /proc/sysvipc/shm.
 *
 * A segment is a name for an object of the memory manager: processes that know the number or the
 * key map the object, and so see the same frames. What the manager knows is not kept twice: who has
 * it attached are the regions that map the object, however they came and went (shmat, fork, munmap
 * of a part, the end of a process).
 *
 *     key 0x4711 --> segment, id 0 --> object --> regions of process A, of B ...
 *                       '-- IPC_RMID: the key goes at once, the segment with the last region
 *
 * Invariants:
 *   I1  each segment holds one reference to its object; two segments never share one
 *   I2  a segment marked for removal has a region, but for the time until the next sweep; whoever
 *       takes regions away calls os_shm_sweep
 *
 * May fail: arguments, limits, and memory, as shmget(2) and its sisters say. Called by the
 * system-call table, memory.c and proc.c. Audit: os_destroy finds every object gone.
 */
#include "os/calls.h"
#include "os/fs.h"
#include "os/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEGMENTS_MAX 4096                      /* SHMMNI */
#define INDEX_BITS   15                        /* IPCMNI_SHIFT: id = sequence << 15 | index */
#define BYTES_MAX    (UINT64_MAX - (1u << 24)) /* SHMMAX */

struct os_shm {
    struct os_shm *next; /* by index */
    unsigned index, sequence;
    int32_t key;
    uint64_t bytes;
    uint32_t mode; /* permissions, OS_SHM_DEST, OS_SHM_LOCKED */
    int creator_pid, last_pid;
    int64_t attach_time, detach_time, change_time;
    struct quire_object *object;
    char name[32];
};

static int id_of(const struct os_shm *segment) {
    return (int)(segment->sequence << INDEX_BITS | segment->index);
}

static int64_t now_seconds(const struct os *os) {
    return (int64_t)(os_realtime_ns(os) / OS_NS_PER_SECOND);
}

static uint64_t attachments(const struct os_shm *segment) {
    struct quire_object_usage usage;
    quire_object_usage(segment->object, &usage);
    return usage.regions;
}

/* ---- finding, making, removing --------------------------------------------------------------- */

static struct os_shm *by_id(struct os *os, int id) {
    struct os_shm *segment = os->segments;
    while (segment && id_of(segment) != id)
        segment = segment->next;
    return segment;
}

static struct os_shm *by_index(struct os *os, int index) {
    struct os_shm *segment = os->segments;
    while (segment && (int)segment->index != index)
        segment = segment->next;
    return segment;
}

static struct os_shm *by_key(struct os *os, int32_t key) {
    struct os_shm *segment = os->segments;
    while (segment && segment->key != key)
        segment = segment->next;
    return segment;
}

static struct os_shm *by_object(struct os *os, const struct quire_object *object) {
    struct os_shm *segment = object ? os->segments : NULL;
    while (segment && segment->object != object)
        segment = segment->next;
    return segment;
}

static void destroy(struct os *os, struct os_shm *segment) {
    struct os_shm **link = &os->segments;
    while (*link != segment)
        link = &(*link)->next;
    *link = segment->next;
    quire_object_unref(segment->object);
    free(segment);
}

void os_shm_sweep(struct os *os) {
    struct os_shm *next;
    for (struct os_shm *segment = os->segments; segment; segment = next) {
        next = segment->next;
        if ((segment->mode & OS_SHM_DEST) && attachments(segment) == 0)
            destroy(os, segment);
    }
}

void os_shm_destroy_all(struct os *os) {
    while (os->segments)
        destroy(os, os->segments);
}

/* The place for the lowest free index, and how many there are. */
static struct os_shm **free_place(struct os *os, unsigned *index, unsigned *count) {
    struct os_shm **link = &os->segments, **place = NULL;
    *index = *count = 0;
    for (; *link; link = &(*link)->next, ++*count) {
        if (!place && (*link)->index > *count) {
            place = link;
            *index = *count;
        }
    }
    if (!place) {
        place = link;
        *index = *count;
    }
    return place;
}

static int64_t create(struct os_task *task, int32_t key, uint64_t bytes, uint32_t flags) {
    struct os *os = task->os;
    unsigned index, count;
    struct os_shm **place = free_place(os, &index, &count);
    if (bytes == 0 || bytes > BYTES_MAX || (flags & OS_SHM_HUGETLB))
        return -OS_EINVAL;
    if (count >= SEGMENTS_MAX)
        return -OS_ENOSPC;
    struct os_shm *segment = calloc(1, sizeof *segment);
    if (!segment)
        return -OS_ENOMEM;
    if (index <= os->shm_last_index && os->shm_created)
        os->shm_sequence = (os->shm_sequence + 1) & 0xffff;
    segment->index = index;
    segment->sequence = os->shm_sequence;
    segment->key = key;
    segment->bytes = bytes;
    segment->mode = flags & 0777;
    segment->creator_pid = task->process->pid;
    segment->change_time = now_seconds(os);
    snprintf(segment->name, sizeof segment->name, "/SYSV%08x (deleted)", (unsigned)key);
    struct quire_object_info info = {
        .name = segment->name, .inode = (uint64_t)id_of(segment), .device_minor = 1};
    enum quire_status status = quire_object_create_shm(os->quire, bytes, &info, &segment->object);
    if (status != QUIRE_OK) {
        free(segment);
        return os_errno(status);
    }
    os->shm_last_index = index;
    os->shm_created = true;
    segment->next = *place;
    *place = segment;
    return id_of(segment);
}

/* ---- the calls ------------------------------------------------------------------------------- */

/* May the programs' user do this (bits of one permission triple)? They own all segments. */
static bool permitted(const struct os_shm *segment, uint32_t wanted) {
    return geteuid() == 0 || !(wanted & 7 & ~(segment->mode >> 6));
}

int64_t os_sys_shmget(struct os_task *task, const uint64_t args[6]) {
    int32_t key = (int32_t)args[0];
    uint64_t bytes = args[1];
    uint32_t flags = (uint32_t)args[2];
    if (key == OS_IPC_PRIVATE)
        return create(task, key, bytes, flags);
    struct os_shm *segment = by_key(task->os, key);
    if (!segment)
        return flags & OS_IPC_CREAT ? create(task, key, bytes, flags) : -OS_ENOENT;
    if ((flags & OS_IPC_CREAT) && (flags & OS_IPC_EXCL))
        return -OS_EEXIST;
    if (bytes > segment->bytes)
        return -OS_EINVAL;
    if (!permitted(segment, flags >> 6 | flags >> 3 | flags))
        return -OS_EACCES;
    return id_of(segment);
}

/* Where a segment may be attached: exactly at *va, or anywhere (*va is 0 then). 0 or -errno. */
static int64_t attach_place(struct quire_space *space, uint32_t flags, uint64_t length,
                            uint64_t *va) {
    struct quire_region_info region;
    if (*va & QUIRE_PAGE_MASK) {
        if (!(flags & OS_SHM_RND))
            return -OS_EINVAL;
        *va &= ~QUIRE_PAGE_MASK;
    }
    if (*va == 0)
        return flags & OS_SHM_REMAP ? -OS_EINVAL : 0;
    if (length > OS_USER_HIGH || *va > OS_USER_HIGH - length)
        return flags & OS_SHM_REMAP ? -OS_ENOMEM : -OS_EINVAL;
    if (!(flags & OS_SHM_REMAP) && quire_region_at_or_after(space, quire_va(*va), false, &region) &&
        region.start.value < *va + length)
        return -OS_EINVAL;
    return 0;
}

int64_t os_sys_shmat(struct os_task *task, const uint64_t args[6]) {
    struct os_process *process = task->process;
    uint32_t flags = (uint32_t)args[2];
    struct os_shm *segment = by_id(task->os, (int)args[0]);
    if (!segment || !process->space)
        return -OS_EINVAL;
    quire_vaddr va = quire_va(args[1]);
    uint64_t length = quire_round_up(segment->bytes);
    int64_t error = attach_place(process->space, flags, length, &va.value);
    if (error)
        return error;
    bool read_only = flags & OS_SHM_RDONLY;
    unsigned prot = OS_PROT_READ | (read_only ? 0 : OS_PROT_WRITE);
    if (flags & OS_SHM_EXEC)
        prot |= OS_PROT_EXEC;
    if (!permitted(segment, read_only ? 4 : 6))
        return -OS_EACCES;
    unsigned map_flags = QUIRE_MAP_SHARED | (read_only ? QUIRE_MAP_DENY_WRITE : 0);
    if (va.value)
        map_flags |= flags & OS_SHM_REMAP ? QUIRE_MAP_FIXED : QUIRE_MAP_NOREPLACE;
    enum quire_status status =
        quire_map(process->space, &va, length, prot, map_flags, segment->object, 0);
    if (status != QUIRE_OK)
        return os_errno(status);
    segment->attach_time = now_seconds(task->os);
    segment->last_pid = process->pid;
    os_shm_sweep(task->os); /* it may have been attached over another */
    return (int64_t)va.value;
}

/* The regions that one shmat made are those of its object whose offset is their distance. */
int64_t os_sys_shmdt(struct os_task *task, const uint64_t args[6]) {
    struct quire_space *space = task->process->space;
    struct quire_region_info region = {.end = {args[0]}};
    struct os_shm *segment = NULL;
    uint64_t end = OS_USER_HIGH;
    if (args[0] & QUIRE_PAGE_MASK || !space)
        return -OS_EINVAL;
    while (region.end.value < end && quire_region_at_or_after(space, region.end, false, &region) &&
           region.start.value < end) {
        struct os_shm *other = by_object(task->os, region.object);
        if (!other || (segment && other != segment) ||
            region.start.value - args[0] != region.offset_bytes)
            continue;
        segment = other;
        end = args[0] + quire_round_up(segment->bytes);
        uint64_t length = region.end.value - region.start.value;
        enum quire_status status = quire_unmap(space, region.start, length);
        if (status != QUIRE_OK)
            return os_errno(status);
    }
    if (!segment)
        return -OS_EINVAL;
    segment->detach_time = now_seconds(task->os);
    segment->last_pid = task->process->pid;
    os_shm_sweep(task->os);
    return 0;
}

void os_shm_detach_all(struct os *os, struct quire_space *space) {
    struct quire_region_info region = {.end = {0}};
    while (os->segments && quire_region_at_or_after(space, region.end, false, &region)) {
        struct os_shm *segment = by_object(os, region.object);
        if (!segment)
            continue;
        segment->detach_time = now_seconds(os);
        if (os->current)
            segment->last_pid = os->current->process->pid;
    }
}

/* ---- shmctl ---------------------------------------------------------------------------------- */

struct ipc_perm { /* ipc64_perm of Linux's asm-generic/ipcbuf.h */
    int32_t key;
    uint32_t uid, gid, creator_uid, creator_gid, mode;
    uint16_t sequence, unused0;
    uint64_t unused1, unused2;
};

struct shm_status { /* shmid64_ds of asm-generic/shmbuf.h */
    struct ipc_perm perm;
    uint64_t bytes;
    int64_t attach_time, detach_time, change_time;
    int32_t creator_pid, last_pid;
    uint64_t nattached, unused0, unused1;
};

struct shm_limits { /* shminfo64 */
    uint64_t bytes_max, bytes_min, segments_max, segments_each, pages_max, unused[4];
};

struct shm_sums { /* shm_info */
    int32_t nsegments;
    uint64_t pages, resident, swapped, unused0, unused1;
};

static int64_t put_status(struct os_task *task, const struct os_shm *segment, uint64_t va) {
    struct shm_status status = {
        .perm = {.key = segment->key,
                 .uid = getuid(),
                 .gid = getgid(),
                 .creator_uid = getuid(),
                 .creator_gid = getgid(),
                 .mode = segment->mode,
                 .sequence = (uint16_t)segment->sequence},
        .bytes = segment->bytes,
        .attach_time = segment->attach_time,
        .detach_time = segment->detach_time,
        .change_time = segment->change_time,
        .creator_pid = segment->creator_pid,
        .last_pid = segment->last_pid,
        .nattached = attachments(segment),
    };
    return os_copy_to_user(task, va, &status, sizeof status);
}

/* The highest index in use; 0 also if there is none, as on Linux. */
static int64_t highest_index(const struct os *os) {
    const struct os_shm *segment = os->segments;
    while (segment && segment->next)
        segment = segment->next;
    return segment ? (int64_t)segment->index : 0;
}

static int64_t put_limits(struct os_task *task, uint64_t va) {
    struct shm_limits limits = {.bytes_max = BYTES_MAX,
                                .bytes_min = 1,
                                .segments_max = SEGMENTS_MAX,
                                .segments_each = SEGMENTS_MAX,
                                .pages_max = BYTES_MAX};
    return os_copy_to_user(task, va, &limits, sizeof limits) ? -OS_EFAULT : highest_index(task->os);
}

static int64_t put_sums(struct os_task *task, uint64_t va) {
    struct shm_sums sums = {0};
    for (const struct os_shm *segment = task->os->segments; segment; segment = segment->next) {
        struct quire_object_usage usage;
        quire_object_usage(segment->object, &usage);
        sums.nsegments++;
        sums.pages += quire_round_up(segment->bytes) >> QUIRE_PAGE_SHIFT;
        sums.resident += usage.resident;
        sums.swapped += usage.swapped;
    }
    return os_copy_to_user(task, va, &sums, sizeof sums) ? -OS_EFAULT : highest_index(task->os);
}

static int64_t set_status(struct os_task *task, struct os_shm *segment, uint64_t va) {
    struct shm_status status;
    if (os_copy_from_user(task, &status, va, sizeof status) != 0)
        return -OS_EFAULT;
    if (status.perm.uid != getuid() || status.perm.gid != getgid())
        return -OS_EPERM; /* there is one user */
    segment->mode = (segment->mode & ~UINT32_C(0777)) | (status.perm.mode & 0777);
    segment->change_time = now_seconds(task->os);
    return 0;
}

static int64_t remove_segment(struct os *os, struct os_shm *segment) {
    if (attachments(segment) == 0) {
        destroy(os, segment);
    } else {
        segment->mode |= OS_SHM_DEST;
        segment->key = OS_IPC_PRIVATE;
    }
    return 0;
}

/* SHM_LOCK and SHM_UNLOCK (ipc/shm.c, shmctl_do_lock): a segment counts as its owner's. */
static int64_t set_lock(struct os_task *task, struct os_shm *segment, bool lock) {
    bool locked = segment->mode & OS_SHM_LOCKED;
    if (lock && !os_memory_may_lock(task->process))
        return -OS_EPERM;
    if (lock && !locked && os_memory_over_lock_limit(task->process, segment->bytes))
        return -OS_ENOMEM;
    quire_object_lock(segment->object, lock);
    segment->mode = (segment->mode & ~(uint32_t)OS_SHM_LOCKED) | (lock ? OS_SHM_LOCKED : 0);
    return 0;
}

int64_t os_sys_shmctl(struct os_task *task, const uint64_t args[6]) {
    struct os *os = task->os;
    int id = (int)args[0], command = (int)args[1] & ~OS_IPC_64;
    bool by_number = command == OS_SHM_STAT || command == OS_SHM_STAT_ANY;
    if (id < 0)
        return -OS_EINVAL;
    if (command == OS_IPC_INFO)
        return put_limits(task, args[2]);
    if (command == OS_SHM_INFO)
        return put_sums(task, args[2]);
    struct os_shm *segment = by_number ? by_index(os, id) : by_id(os, id);
    switch (command) {
    case OS_IPC_STAT:
    case OS_SHM_STAT:
    case OS_SHM_STAT_ANY:
        if (!segment)
            return -OS_EINVAL;
        if (command != OS_SHM_STAT_ANY && !permitted(segment, 4))
            return -OS_EACCES;
        if (put_status(task, segment, args[2]) != 0)
            return -OS_EFAULT;
        return by_number ? id_of(segment) : 0;
    case OS_IPC_SET:
        return segment ? set_status(task, segment, args[2]) : -OS_EINVAL;
    case OS_IPC_RMID:
        return segment ? remove_segment(os, segment) : -OS_EINVAL;
    case OS_SHM_LOCK:
    case OS_SHM_UNLOCK:
        return segment ? set_lock(task, segment, command == OS_SHM_LOCK) : -OS_EINVAL;
    default:
        return -OS_EINVAL;
    }
}

/* ---- /proc/sysvipc/shm ----------------------------------------------------------------------- */

void os_shm_text(struct os *os, struct os_text *text) {
    unsigned uid = getuid(), gid = getgid();
    os_text_printf(text,
                   "       key      shmid perms                  size  cpid  lpid nattch   uid "
                   "  gid  cuid  cgid      atime      dtime      ctime "
                   "                  rss                  swap\n");
    for (const struct os_shm *s = os->segments; s; s = s->next) {
        struct quire_object_usage usage;
        quire_object_usage(s->object, &usage);
        os_text_printf(text, "%10d %10d  %4o %21llu %5d %5d  %5llu %5u %5u %5u %5u ", s->key,
                       id_of(s), s->mode, (unsigned long long)s->bytes, s->creator_pid, s->last_pid,
                       (unsigned long long)usage.regions, uid, gid, uid, gid);
        os_text_printf(text, "%10lld %10lld %10lld %21llu %21llu\n", (long long)s->attach_time,
                       (long long)s->detach_time, (long long)s->change_time,
                       (unsigned long long)(usage.resident * QUIRE_PAGE_SIZE),
                       (unsigned long long)(usage.swapped * QUIRE_PAGE_SIZE));
    }
}
