/* memory.c: the memory calls of a program, and which space a process lives in.
 *
 * It owns struct os_memory: one address space and the number of processes in it. That is one, but
 * for the time between vfork and exec, when the child borrows the parent's. The manager knows the
 * os_memory as the space's owner, so the OOM killer's choice names everybody in it. (Owner =
 * process was rejected: a vfork child may outlive its parent, and the owner would dangle.)
 *
 * The calls themselves are thin: the memory manager already speaks Linux (space.h). What is done
 * here is what it does not want to know: flags and their combinations, file descriptors and how
 * they were opened, limits, and the order in which Linux looks for errors.
 *
 *      mmap(fd) ─▶ os_file_object ─▶ quire_map ─▶ region holds the object
 *
 * I1  memory->users is the number of processes whose ->memory it is; at 0 it is gone.
 * I2  process->space == (process->memory ? process->memory->space : NULL), always.
 *
 * Failures: ENOMEM from the manager; every argument is hostile. Called by the system-call table,
 * exec.c and process.c. Audit: quire_audit for the spaces; os_destroy finds every space gone.
 */
#include "os/calls.h"
#include "os/process.h"

#include <stdlib.h>

/* A writable page must be readable: the hardware reserves "write only" (privileged spec, Sv39). */
#define PROT_ALL     (OS_PROT_READ | OS_PROT_WRITE | OS_PROT_EXEC)
#define INCORE_BATCH 4096 /* pages asked for at once by mincore */

int64_t os_errno(enum quire_status status) {
    switch (status) {
    case QUIRE_OK:
        return 0;
    case QUIRE_FAULT:
        return -OS_EFAULT;
    case QUIRE_DENIED:
        return -OS_EACCES;
    case QUIRE_INVAL:
        return -OS_EINVAL;
    case QUIRE_EXIST:
        return -OS_EEXIST;
    case QUIRE_IO:
        return -OS_EIO;
    case QUIRE_BUSY:
        return -OS_EBUSY;
    case QUIRE_PERM:
        return -OS_EPERM;
    case QUIRE_RESTART:
        return -OS_EAGAIN;
    default: /* NOMEM, NOROOM, UNMAPPED, KILLED, BUS: all are ENOMEM to a memory call */
        return -OS_ENOMEM;
    }
}

/* ---- spaces ---------------------------------------------------------------------------------- */

struct os_memory *os_memory_create(struct os *os, uint64_t stack_limit_bytes) {
    struct os_memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return NULL;
    /* As Linux's mmap_base: below the stack's limit, within 128 MiB and 5/6 of all. */
    uint64_t gap = stack_limit_bytes;
    if (gap < UINT64_C(128) << 20)
        gap = UINT64_C(128) << 20;
    if (gap > OS_USER_HIGH / 6 * 5)
        gap = OS_USER_HIGH / 6 * 5;
    gap = quire_round_up(gap) + OS_STACK_GAP_BYTES;
    struct quire_space_config config = {
        .low = {OS_USER_LOW},
        .high = {OS_USER_HIGH},
        .map_top = {OS_USER_HIGH - gap},
        .stack_limit_bytes = stack_limit_bytes,
        .stack_gap_bytes = OS_STACK_GAP_BYTES,
        .owner = memory,
    };
    if (quire_space_create(os->quire, &config, &memory->space) != QUIRE_OK) {
        free(memory);
        return NULL;
    }
    memory->users = 1;
    return memory;
}

struct os_memory *os_memory_fork(struct os *os, struct os_memory *parent) {
    (void)os;
    struct os_memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return NULL;
    if (!parent->space || quire_space_fork(parent->space, memory, &memory->space) != QUIRE_OK) {
        free(memory);
        return NULL;
    }
    memory->users = 1;
    memory->trampoline_va = parent->trampoline_va;
    return memory;
}

void os_memory_release(struct os_memory *memory) {
    if (!memory || --memory->users > 0)
        return;
    if (memory->space)
        quire_space_destroy(memory->space);
    free(memory);
}

void os_memory_adopt(struct os_process *process, struct os_memory *memory) {
    struct os_memory *old = process->memory;
    process->memory = memory;
    process->space = memory ? memory->space : NULL;
    os_memory_release(old);
}

/* ---- brk, mmap, munmap ----------------------------------------------------------------------- */

int64_t os_sys_brk(struct os_task *task, const uint64_t args[6]) {
    struct os_process *process = task->process;
    if (!process->space)
        return 0;
    uint64_t old = quire_brk(process->space, quire_va(0)).value;
    if (args[0] == 0 || args[0] >= OS_USER_HIGH)
        return (int64_t)old;
    uint64_t limit = process->rlimits[OS_RLIMIT_DATA][0];
    if (args[0] > old && limit != OS_RLIM_INFINITY) {
        struct quire_space_usage usage;
        quire_space_usage(process->space, &usage);
        if (usage.data * QUIRE_PAGE_SIZE + (args[0] - old) > limit)
            return (int64_t)old;
    }
    return (int64_t)quire_brk(process->space, quire_va(args[0])).value;
}

/* Is length more than RLIMIT_AS leaves? */
static bool over_address_limit(struct os_process *process, uint64_t length) {
    uint64_t limit = process->rlimits[OS_RLIMIT_AS][0];
    if (limit == OS_RLIM_INFINITY)
        return false;
    struct quire_space_usage usage;
    quire_space_usage(process->space, &usage);
    uint64_t used = usage.virtual_pages * QUIRE_PAGE_SIZE;
    return used > limit || length > limit - used;
}

/* The object behind an mmap of a file, with the checks of how the file was opened. */
static int64_t file_object(struct os_task *task, int fd, bool shared, unsigned prot,
                           unsigned *flags, struct quire_object **object) {
    struct os_file *file = os_file_of(task->process, fd);
    if (!file)
        return -OS_EBADF;
    if (!os_file_readable(file))
        return -OS_EACCES;
    if (shared && !os_file_writable(file)) {
        if (prot & OS_PROT_WRITE)
            return -OS_EACCES;
        *flags |= QUIRE_MAP_DENY_WRITE;
    }
    return os_file_object(file, object);
}

/* The manager's flags for Linux's, or -errno. addr is checked with them. */
static int64_t map_flags(uint64_t flags, uint64_t addr, uint64_t length, unsigned *out) {
    uint64_t type = flags & OS_MAP_TYPE;
    if (type != OS_MAP_SHARED && type != OS_MAP_PRIVATE && type != OS_MAP_SHARED_VALIDATE)
        return -OS_EINVAL;
    if (type == OS_MAP_SHARED_VALIDATE && (flags & OS_MAP_SYNC))
        return -OS_EOPNOTSUPP;
    if (flags & OS_MAP_HUGETLB)
        return -OS_ENOMEM; /* no huge pages are set aside */
    *out = type == OS_MAP_PRIVATE ? 0 : QUIRE_MAP_SHARED;
    if (flags & (OS_MAP_FIXED | OS_MAP_FIXED_NOREPLACE)) {
        if (addr & QUIRE_PAGE_MASK)
            return -OS_EINVAL;
        if (length > OS_USER_HIGH || addr > OS_USER_HIGH - length)
            return -OS_ENOMEM;
        if (addr < OS_USER_LOW)
            return -OS_EPERM;
        *out |= flags & OS_MAP_FIXED_NOREPLACE ? QUIRE_MAP_NOREPLACE : QUIRE_MAP_FIXED;
    }
    if (flags & OS_MAP_GROWSDOWN)
        *out |= QUIRE_MAP_GROWSDOWN;
    if (flags & OS_MAP_NORESERVE)
        *out |= QUIRE_MAP_NORESERVE;
    if ((flags & (OS_MAP_POPULATE | OS_MAP_LOCKED)) && !(flags & OS_MAP_NONBLOCK))
        *out |= QUIRE_MAP_POPULATE;
    return 0;
}

/* Shared memory without a file: an object of its own, as Linux makes one of /dev/zero. */
static const struct quire_object_info shared_info = {.name = "/dev/zero (deleted)"};

int64_t os_sys_mmap(struct os_task *task, const uint64_t args[6]) {
    uint64_t addr = args[0], length = quire_round_up(args[1]), offset = args[5];
    unsigned prot = (unsigned)args[2] & PROT_ALL, flags;
    struct os_process *process = task->process;
    struct quire_object *object = NULL;
    if (offset & QUIRE_PAGE_MASK || args[1] == 0)
        return -OS_EINVAL;
    bool anonymous = args[3] & OS_MAP_ANONYMOUS;
    if (!anonymous && !os_file_of(process, (int)args[4]))
        return -OS_EBADF;
    if (length == 0 || length > OS_USER_HIGH - OS_USER_LOW || !process->space)
        return -OS_ENOMEM;
    if (!anonymous && offset + length < offset)
        return -OS_EOVERFLOW;
    int64_t error = map_flags(args[3], addr, length, &flags);
    if (error)
        return error;
    if (over_address_limit(process, length))
        return -OS_ENOMEM;
    if (prot & OS_PROT_WRITE)
        prot |= OS_PROT_READ;

    enum quire_status status = QUIRE_OK;
    if (!anonymous)
        error = file_object(task, (int)args[4], flags & QUIRE_MAP_SHARED, prot, &flags, &object);
    else if (flags & QUIRE_MAP_SHARED)
        status = quire_object_create_shm(task->os->quire, length, &shared_info, &object);
    if (error || status != QUIRE_OK)
        return error ? error : os_errno(status);

    if (!(flags & (QUIRE_MAP_FIXED | QUIRE_MAP_NOREPLACE))) { /* a hint: never an error */
        addr &= ~QUIRE_PAGE_MASK;
        if (addr < OS_USER_LOW || addr > OS_USER_HIGH - length)
            addr = 0;
    }
    quire_vaddr va = quire_va(addr);
    status = quire_map(process->space, &va, length, prot, flags, object, anonymous ? 0 : offset);
    if (object)
        quire_object_unref(object);
    return status == QUIRE_OK ? (int64_t)va.value : os_errno(status);
}

/* A range of whole pages that ends below the end of user addresses; length is rounded. */
static bool range_valid(uint64_t va, uint64_t *length) {
    if (va & QUIRE_PAGE_MASK || *length > OS_USER_HIGH)
        return false;
    *length = quire_round_up(*length);
    return va <= OS_USER_HIGH - *length;
}

int64_t os_sys_munmap(struct os_task *task, const uint64_t args[6]) {
    uint64_t length = args[1];
    if (length == 0 || !range_valid(args[0], &length) || !task->process->space)
        return -OS_EINVAL;
    return os_errno(quire_unmap(task->process->space, quire_va(args[0]), length));
}

int64_t os_sys_mprotect(struct os_task *task, const uint64_t args[6]) {
    uint64_t va = args[0], length = args[1], prot = args[2];
    if (va & QUIRE_PAGE_MASK || prot & ~(uint64_t)(PROT_ALL | OS_PROT_GROWSDOWN))
        return -OS_EINVAL;
    if (length == 0)
        return 0;
    if (!range_valid(va, &length) || !task->process->space)
        return -OS_ENOMEM;
    if (prot & OS_PROT_GROWSDOWN) { /* from the beginning of the stack's region on */
        struct quire_region_info region;
        if (!quire_region_at_or_after(task->process->space, quire_va(va), false, &region) ||
            region.start.value > va)
            return -OS_ENOMEM;
        if (!(region.flags & QUIRE_MAP_GROWSDOWN))
            return -OS_EINVAL;
        length += va - region.start.value;
        va = region.start.value;
    }
    prot &= PROT_ALL;
    if (prot & OS_PROT_WRITE)
        prot |= OS_PROT_READ;
    return os_errno(quire_protect(task->process->space, quire_va(va), length, (unsigned)prot));
}

int64_t os_sys_mremap(struct os_task *task, const uint64_t args[6]) {
    uint64_t old = args[0], old_bytes = args[1], new_bytes = args[2], flags = args[3];
    if (flags & ~(uint64_t)(OS_MREMAP_MAYMOVE | OS_MREMAP_FIXED) || old & QUIRE_PAGE_MASK)
        return -OS_EINVAL;
    bool fixed = flags & OS_MREMAP_FIXED, may_move = flags & OS_MREMAP_MAYMOVE;
    if ((fixed && !may_move) || new_bytes == 0 || new_bytes > OS_USER_HIGH)
        return -OS_EINVAL;
    if (!range_valid(old, &old_bytes) || !task->process->space)
        return -OS_EFAULT;
    if (old_bytes == 0) /* Linux duplicates a shared mapping then: not offered */
        return -OS_EINVAL;
    new_bytes = quire_round_up(new_bytes);
    quire_vaddr to = {fixed ? args[4] : 0};
    if (fixed) {
        if (to.value & QUIRE_PAGE_MASK || to.value > OS_USER_HIGH - new_bytes ||
            to.value < OS_USER_LOW)
            return -OS_EINVAL;
        if (to.value < old + old_bytes && old < to.value + new_bytes)
            return -OS_EINVAL;
    }
    if (new_bytes > old_bytes && over_address_limit(task->process, new_bytes - old_bytes))
        return -OS_ENOMEM;
    enum quire_status status = quire_remap(task->process->space, quire_va(old), old_bytes,
                                           new_bytes, may_move, fixed, &to);
    return status == QUIRE_OK ? (int64_t)to.value : os_errno(status);
}

/* ---- advice and state ------------------------------------------------------------------------ */

/* The manager's word for an advice; -1: Linux accepts it and it changes nothing that a program can
 * see here; -2: not an advice, or one that we cannot honour. */
static int advice_of(uint64_t advice) {
    switch (advice) {
    case OS_MADV_NORMAL:
    case OS_MADV_RANDOM:
    case OS_MADV_SEQUENTIAL:
        return QUIRE_ADVISE_NORMAL;
    case OS_MADV_WILLNEED:
        return QUIRE_ADVISE_WILLNEED;
    case OS_MADV_DONTNEED:
        return QUIRE_ADVISE_DONTNEED;
    case OS_MADV_FREE:
        return QUIRE_ADVISE_FREE;
    case OS_MADV_DONTFORK:
        return QUIRE_ADVISE_DONTFORK;
    case OS_MADV_DOFORK:
        return QUIRE_ADVISE_DOFORK;
    case OS_MADV_COLD:
        return QUIRE_ADVISE_COLD;
    case OS_MADV_PAGEOUT:
        return QUIRE_ADVISE_PAGEOUT;
    case OS_MADV_MERGEABLE:
    case OS_MADV_UNMERGEABLE:
    case OS_MADV_HUGEPAGE:
    case OS_MADV_NOHUGEPAGE:
    case OS_MADV_DONTDUMP:
    case OS_MADV_DODUMP:
        return -1;
    default:
        return -2;
    }
}

int64_t os_sys_madvise(struct os_task *task, const uint64_t args[6]) {
    uint64_t length = args[1];
    int advice = advice_of(args[2] & UINT32_MAX);
    if (advice == -2 || args[0] & QUIRE_PAGE_MASK)
        return -OS_EINVAL;
    if (length != 0 && quire_round_up(length) == 0)
        return -OS_EINVAL;
    if (length == 0)
        return 0;
    if (args[0] + length < args[0])
        return -OS_EINVAL;
    if (!range_valid(args[0], &length) || !task->process->space)
        return -OS_ENOMEM;
    if (advice == -1)
        advice = QUIRE_ADVISE_NORMAL;
    return os_errno(
        quire_advise(task->process->space, quire_va(args[0]), length, (enum quire_advice)advice));
}

int64_t os_sys_mincore(struct os_task *task, const uint64_t args[6]) {
    uint64_t va = args[0], length = args[1];
    if (va & QUIRE_PAGE_MASK)
        return -OS_EINVAL;
    if (!range_valid(va, &length) || !task->process->space)
        return -OS_ENOMEM;
    uint8_t resident[INCORE_BATCH];
    uint64_t npages = length >> QUIRE_PAGE_SHIFT;
    for (uint64_t done = 0; done < npages;) {
        uint64_t batch = npages - done < INCORE_BATCH ? npages - done : INCORE_BATCH;
        enum quire_status status =
            quire_incore(task->process->space, quire_va(va + done * QUIRE_PAGE_SIZE),
                         batch * QUIRE_PAGE_SIZE, resident);
        if (status != QUIRE_OK)
            return os_errno(status);
        if (os_put(task, args[2] + done, resident, batch) != 0)
            return -OS_EFAULT;
        done += batch;
    }
    return 0;
}

int64_t os_sys_msync(struct os_task *task, const uint64_t args[6]) {
    uint64_t length = args[1], flags = args[2];
    if (args[0] & QUIRE_PAGE_MASK ||
        flags & ~(uint64_t)(OS_MS_ASYNC | OS_MS_INVALIDATE | OS_MS_SYNC) ||
        ((flags & OS_MS_ASYNC) && (flags & OS_MS_SYNC)))
        return -OS_EINVAL;
    if (length == 0)
        return 0;
    if (!range_valid(args[0], &length) || !task->process->space)
        return -OS_ENOMEM;
    /* Asynchronous writing is what reclaim does anyway; the range is checked all the same. */
    return os_errno(quire_sync(task->process->space, quire_va(args[0]), length));
}

/* Locked memory cannot be had from the manager yet: the pages are brought in, the limit and the
 * range are checked, and swapping may still take them, which a program cannot notice but by time.
 */
int64_t os_sys_mlock(struct os_task *task, const uint64_t args[6]) {
    if (args[1] > OS_USER_HIGH)
        return -OS_EINVAL;
    uint64_t va = args[0] & ~QUIRE_PAGE_MASK;
    uint64_t length = args[1] + (args[0] & QUIRE_PAGE_MASK);
    if (length == 0)
        return 0;
    if (!range_valid(va, &length) || !task->process->space)
        return -OS_ENOMEM;
    if (length > task->process->rlimits[OS_RLIMIT_MEMLOCK][0])
        return -OS_ENOMEM;
    return os_errno(
        quire_advise(task->process->space, quire_va(va), length, QUIRE_ADVISE_WILLNEED));
}

#define MLOCK_ONFAULT 1

int64_t os_sys_mlock2(struct os_task *task, const uint64_t args[6]) {
    return args[2] & ~(uint64_t)MLOCK_ONFAULT ? -OS_EINVAL : os_sys_mlock(task, args);
}

int64_t os_sys_munlock(struct os_task *task, const uint64_t args[6]) {
    if (args[1] > OS_USER_HIGH)
        return -OS_EINVAL;
    uint64_t va = args[0] & ~QUIRE_PAGE_MASK;
    uint64_t length = args[1] + (args[0] & QUIRE_PAGE_MASK);
    if (length == 0)
        return 0;
    if (!range_valid(va, &length) || !task->process->space)
        return -OS_ENOMEM;
    return os_errno(quire_advise(task->process->space, quire_va(va), length, QUIRE_ADVISE_NORMAL));
}

#define MCL_ALL 7 /* MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT */

int64_t os_sys_mlockall(struct os_task *task, const uint64_t args[6]) {
    (void)task;
    return args[0] == 0 || args[0] & ~(uint64_t)MCL_ALL ? -OS_EINVAL : 0;
}

int64_t os_sys_munlockall(struct os_task *task, const uint64_t args[6]) {
    (void)task, (void)args;
    return 0;
}
