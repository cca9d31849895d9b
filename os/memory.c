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
#include <unistd.h>

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
    memory->os = os;
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
    struct os_memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return NULL;
    memory->os = os;
    if (!parent->space || quire_space_fork(parent->space, memory, &memory->space) != QUIRE_OK) {
        free(memory);
        return NULL;
    }
    memory->users = 1;
    memory->trampoline_va = parent->trampoline_va;
    memory->exe_device = parent->exe_device;
    memory->exe_inode = parent->exe_inode;
    return memory;
}

bool os_is_running(const struct os *os, uint64_t device, uint64_t inode) {
    for (const struct os_process *each = os->processes; each; each = each->next) {
        const struct os_memory *memory = each->memory;
        if (memory && memory->exe_inode == inode && memory->exe_device == device)
            return true;
    }
    return false;
}

void os_memory_release(struct os_memory *memory) {
    if (!memory || --memory->users > 0)
        return;
    if (memory->space) {
        os_shm_detach_all(memory->os, memory->space);
        quire_space_destroy(memory->space);
    }
    os_shm_sweep(memory->os);
    free(memory);
}

void os_memory_adopt(struct os_process *process, struct os_memory *memory) {
    struct os_memory *old = process->memory;
    process->memory = memory;
    process->space = memory ? memory->space : NULL;
    os_memory_apply_limits(process);
    os_memory_release(old);
}

void os_memory_apply_limits(struct os_process *process) {
    if (!process->space)
        return;
    quire_space_set_limit(process->space, QUIRE_LIMIT_ADDRESS, process->rlimits[OS_RLIMIT_AS][0]);
    quire_space_set_limit(process->space, QUIRE_LIMIT_DATA, process->rlimits[OS_RLIMIT_DATA][0]);
    quire_space_set_limit(process->space, QUIRE_LIMIT_STACK, process->rlimits[OS_RLIMIT_STACK][0]);
}

/* ---- brk, mmap, munmap ----------------------------------------------------------------------- */

/* CAP_IPC_LOCK: programs have the rights of the user who runs them. */
static bool locks_freely(void) {
    return geteuid() == 0;
}

bool os_memory_may_lock(const struct os_process *process) {
    return process->rlimits[OS_RLIMIT_MEMLOCK][0] != 0 || locks_freely();
}

bool os_memory_over_lock_limit(struct os_process *process, uint64_t bytes) {
    uint64_t limit = process->rlimits[OS_RLIMIT_MEMLOCK][0];
    struct quire_space_usage usage;
    if (limit == OS_RLIM_INFINITY || locks_freely())
        return false;
    quire_space_usage(process->space, &usage);
    return usage.locked * QUIRE_PAGE_SIZE + bytes > limit;
}

int64_t os_sys_brk(struct os_task *task, const uint64_t args[6]) {
    struct os_process *process = task->process;
    if (!process->space)
        return 0;
    uint64_t old = quire_brk(process->space, quire_va(0)).value;
    if (args[0] == 0 || args[0] >= OS_USER_HIGH)
        return (int64_t)old;
    if (args[0] > old && quire_space_locks_future(process->space) &&
        os_memory_over_lock_limit(process, args[0] - old))
        return (int64_t)old;
    return (int64_t)quire_brk(process->space, quire_va(args[0])).value;
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
    if (flags & OS_MAP_LOCKED)
        *out |= QUIRE_MAP_LOCKED;
    if ((flags & OS_MAP_POPULATE) && !(flags & OS_MAP_NONBLOCK))
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
    if ((flags & QUIRE_MAP_LOCKED) && !os_memory_may_lock(process))
        return -OS_EPERM;
    if ((flags & QUIRE_MAP_LOCKED || quire_space_locks_future(process->space)) &&
        os_memory_over_lock_limit(process, length))
        return -OS_EAGAIN;
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

/* Calls that do what they can of a range: it ends at the end of user addresses. True: it went on
 * beyond, where there is a hole (ENOMEM in the end). => aligned, and the sum does not wrap */
static bool cut_range(uint64_t va, uint64_t *length) {
    uint64_t room = va < OS_USER_HIGH ? OS_USER_HIGH - va : 0;
    *length = quire_round_up(*length);
    bool beyond = *length > room;
    if (beyond)
        *length = room;
    return beyond;
}

/* The answer of such a call. */
static int64_t partly(enum quire_status status, bool beyond) {
    return status == QUIRE_OK && beyond ? -OS_ENOMEM : os_errno(status);
}

int64_t os_sys_munmap(struct os_task *task, const uint64_t args[6]) {
    uint64_t length = args[1];
    if (length == 0 || !range_valid(args[0], &length) || !task->process->space)
        return -OS_EINVAL;
    enum quire_status status = quire_unmap(task->process->space, quire_va(args[0]), length);
    os_shm_sweep(task->os);
    return os_errno(status);
}

int64_t os_sys_mprotect(struct os_task *task, const uint64_t args[6]) {
    uint64_t va = args[0], length = args[1], prot = args[2];
    if (va & QUIRE_PAGE_MASK || prot & ~(uint64_t)(PROT_ALL | OS_PROT_GROWSDOWN))
        return -OS_EINVAL;
    if (length == 0)
        return 0;
    if (va + quire_round_up(length) <= va || !task->process->space)
        return -OS_ENOMEM;
    bool beyond = cut_range(va, &length);
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
    return partly(quire_protect(task->process->space, quire_va(va), length, (unsigned)prot),
                  beyond);
}

/* Linux looks at its arguments in this order; the manager does the rest. */
int64_t os_sys_mremap(struct os_task *task, const uint64_t args[6]) {
    uint64_t old = args[0], old_bytes = args[1], new_bytes = args[2], flags = args[3];
    const uint64_t all = OS_MREMAP_MAYMOVE | OS_MREMAP_FIXED | OS_MREMAP_DONTUNMAP;
    struct os_process *process = task->process;
    struct quire_region_info region;
    if (flags & ~all || old & QUIRE_PAGE_MASK || new_bytes == 0 || new_bytes > OS_USER_HIGH)
        return -OS_EINVAL;
    new_bytes = quire_round_up(new_bytes);
    if (!range_valid(old, &old_bytes) || !process->space)
        return -OS_EFAULT;
    if (new_bytes > old_bytes &&
        quire_region_at_or_after(process->space, quire_va(old), false, &region) &&
        region.start.value <= old && (region.flags & QUIRE_MAP_LOCKED) &&
        os_memory_over_lock_limit(process, new_bytes - old_bytes))
        return -OS_EAGAIN;
    quire_vaddr to = {args[4]};
    enum quire_status status =
        quire_remap(process->space, quire_va(old), old_bytes, new_bytes, (unsigned)flags, &to);
    return status == QUIRE_OK ? (int64_t)to.value : os_errno(status);
}

/* ---- advice and state ------------------------------------------------------------------------ */

/* The manager's word for an advice; -1: none, or one that we cannot honour, as a Linux that was
 * built without it (MERGEABLE: without KSM). */
static int advice_of(uint64_t advice) {
    switch (advice) {
    case OS_MADV_NORMAL:
    case OS_MADV_RANDOM:
    case OS_MADV_SEQUENTIAL:
    case OS_MADV_DONTDUMP: /* there are no core dumps to leave it out of */
    case OS_MADV_DODUMP:
        return QUIRE_ADVISE_NORMAL;
    case OS_MADV_WILLNEED:
        return QUIRE_ADVISE_WILLNEED;
    case OS_MADV_DONTNEED:
        return QUIRE_ADVISE_DONTNEED;
    case OS_MADV_FREE:
        return QUIRE_ADVISE_FREE;
    case OS_MADV_REMOVE:
        return QUIRE_ADVISE_REMOVE;
    case OS_MADV_DONTFORK:
        return QUIRE_ADVISE_DONTFORK;
    case OS_MADV_DOFORK:
        return QUIRE_ADVISE_DOFORK;
    case OS_MADV_WIPEONFORK:
        return QUIRE_ADVISE_WIPEONFORK;
    case OS_MADV_KEEPONFORK:
        return QUIRE_ADVISE_KEEPONFORK;
    case OS_MADV_COLD:
        return QUIRE_ADVISE_COLD;
    case OS_MADV_PAGEOUT:
        return QUIRE_ADVISE_PAGEOUT;
    case OS_MADV_POPULATE_READ:
        return QUIRE_ADVISE_POPULATE_READ;
    case OS_MADV_POPULATE_WRITE:
        return QUIRE_ADVISE_POPULATE_WRITE;
    case OS_MADV_HUGEPAGE:
        return QUIRE_ADVISE_HUGEPAGE;
    case OS_MADV_NOHUGEPAGE:
        return QUIRE_ADVISE_NOHUGEPAGE;
    default:
        return -1;
    }
}

int64_t os_sys_madvise(struct os_task *task, const uint64_t args[6]) {
    uint64_t length = args[1];
    int advice = advice_of(args[2] & UINT32_MAX);
    if (advice < 0 || args[0] & QUIRE_PAGE_MASK)
        return -OS_EINVAL;
    if (length != 0 && quire_round_up(length) == 0)
        return -OS_EINVAL;
    if (length == 0)
        return 0;
    if (args[0] + length < args[0])
        return -OS_EINVAL;
    if (!task->process->space)
        return -OS_ENOMEM;
    bool beyond = cut_range(args[0], &length);
    return partly(
        quire_advise(task->process->space, quire_va(args[0]), length, (enum quire_advice)advice),
        beyond);
}

/* Advice about one piece of a process's memory: how much of it was done, or -errno. */
static int64_t advise_piece(struct quire_space *space, const struct os_iovec *piece,
                            enum quire_advice advice) {
    uint64_t length = piece->length;
    if (piece->base & QUIRE_PAGE_MASK || piece->base + length < piece->base)
        return -OS_EINVAL;
    bool beyond = cut_range(piece->base, &length);
    return partly(quire_advise(space, quire_va(piece->base), length, advice), beyond);
}

/* The pieces of the program's array; bytes advised before an error count, as on Linux. */
static int64_t advise_pieces(struct os_task *task, const struct os_process *process,
                             const uint64_t args[6], enum quire_advice advice) {
    struct os_iovec piece;
    uint64_t done = 0;
    int64_t result = 0;
    for (uint64_t i = 0; i < args[2] && result == 0; i++) {
        result = os_copy_from_user(task, &piece, args[1] + i * sizeof piece, sizeof piece);
        if (result == 0 && !process->space)
            result = -OS_ESRCH;
        if (result == 0 && piece.length)
            result = advise_piece(process->space, &piece, advice);
        if (result == 0)
            done += piece.length;
    }
    return result < 0 && done == 0 ? result : (int64_t)done;
}

/* Of another process, by pidfd: only advice that changes nothing but where pages are. */
int64_t os_sys_process_madvise(struct os_task *task, const uint64_t args[6]) {
    struct os_process *process;
    int advice = advice_of(args[3] & UINT32_MAX);
    if (args[4] || args[2] > OS_IOV_MAX)
        return -OS_EINVAL;
    int64_t result = os_pidfd_process(task, args[0], &process);
    if (result < 0)
        return result;
    if (advice != QUIRE_ADVISE_COLD && advice != QUIRE_ADVISE_PAGEOUT &&
        advice != QUIRE_ADVISE_WILLNEED)
        return -OS_EINVAL;
    return advise_pieces(task, process, args, (enum quire_advice)advice);
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
        if (os_copy_to_user(task, args[2] + done, resident, batch) != 0)
            return -OS_EFAULT;
        done += batch;
    }
    return 0;
}

/* MS_INVALIDATE is refused where memory is locked: how far the range is free of it. */
static uint64_t unlocked_part(struct quire_space *space, uint64_t va, uint64_t length) {
    struct quire_region_info region = {.end = quire_va(va)};
    while (region.end.value < va + length &&
           quire_region_at_or_after(space, region.end, false, &region) &&
           region.start.value < va + length) {
        if (region.flags & QUIRE_MAP_LOCKED)
            return region.start.value > va ? region.start.value - va : 0;
    }
    return length;
}

int64_t os_sys_msync(struct os_task *task, const uint64_t args[6]) {
    uint64_t length = args[1], flags = args[2];
    struct quire_space *space = task->process->space;
    if (args[0] & QUIRE_PAGE_MASK ||
        flags & ~(uint64_t)(OS_MS_ASYNC | OS_MS_INVALIDATE | OS_MS_SYNC) ||
        ((flags & OS_MS_ASYNC) && (flags & OS_MS_SYNC)))
        return -OS_EINVAL;
    if (length == 0)
        return 0;
    if (args[0] + quire_round_up(length) < args[0] || !space)
        return -OS_ENOMEM;
    bool beyond = cut_range(args[0], &length);
    uint64_t part = flags & OS_MS_INVALIDATE ? unlocked_part(space, args[0], length) : length;
    enum quire_status status = QUIRE_OK;
    if (flags & OS_MS_SYNC) {
        status = quire_sync(space, quire_va(args[0]), part);
    } else { /* asynchronous writing is what the flusher does anyway; the range is checked */
        status = quire_advise(space, quire_va(args[0]), part, QUIRE_ADVISE_NORMAL);
    }
    if (part < length && (status == QUIRE_OK || status == QUIRE_UNMAPPED))
        return -OS_EBUSY;
    return partly(status, beyond);
}

/* ---- locks ----------------------------------------------------------------------------------- */

/* The range of mlock and munlock: whole pages around it. False: it wraps (EINVAL) . */
static bool lock_range(const uint64_t args[6], uint64_t *va, uint64_t *length) {
    *va = args[0] & ~QUIRE_PAGE_MASK;
    *length = quire_round_up(args[1] + (args[0] & QUIRE_PAGE_MASK));
    return args[1] <= UINT64_MAX - 2 * QUIRE_PAGE_SIZE && *va + *length >= *va;
}

/* Pages of the range that are locked already: they do not count twice. */
static uint64_t locked_bytes(struct quire_space *space, uint64_t va, uint64_t length) {
    struct quire_region_info region = {.end = quire_va(va)};
    uint64_t bytes = 0, end = va + length;
    while (quire_region_at_or_after(space, region.end, false, &region) &&
           region.start.value < end) {
        uint64_t first = region.start.value > va ? region.start.value : va;
        uint64_t last = region.end.value < end ? region.end.value : end;
        bytes += region.flags & QUIRE_MAP_LOCKED ? last - first : 0;
    }
    return bytes;
}

static int64_t lock_memory(struct os_task *task, const uint64_t args[6], bool on_fault) {
    struct os_process *process = task->process;
    uint64_t va, length;
    if (!os_memory_may_lock(process))
        return -OS_EPERM;
    if (!lock_range(args, &va, &length))
        return -OS_EINVAL;
    if (!process->space)
        return -OS_ENOMEM;
    if (os_memory_over_lock_limit(process, length) &&
        os_memory_over_lock_limit(process, length - locked_bytes(process->space, va, length)))
        return -OS_ENOMEM;
    if (length == 0)
        return 0;
    bool beyond = cut_range(va, &length);
    enum quire_status status = quire_lock(process->space, quire_va(va), length, on_fault);
    return status == QUIRE_BUSY ? -OS_EAGAIN : partly(status, beyond);
}

int64_t os_sys_mlock(struct os_task *task, const uint64_t args[6]) {
    return lock_memory(task, args, false);
}

#define MLOCK_ONFAULT 1

int64_t os_sys_mlock2(struct os_task *task, const uint64_t args[6]) {
    if (args[2] & ~(uint64_t)MLOCK_ONFAULT)
        return -OS_EINVAL;
    return lock_memory(task, args, args[2] & MLOCK_ONFAULT);
}

int64_t os_sys_munlock(struct os_task *task, const uint64_t args[6]) {
    uint64_t va, length;
    if (!lock_range(args, &va, &length))
        return -OS_EINVAL;
    if (length == 0)
        return 0;
    if (!task->process->space)
        return -OS_ENOMEM;
    bool beyond = cut_range(va, &length);
    return partly(quire_unlock(task->process->space, quire_va(va), length), beyond);
}

int64_t os_sys_mlockall(struct os_task *task, const uint64_t args[6]) {
    struct os_process *process = task->process;
    const uint64_t all = QUIRE_LOCK_ALL_CURRENT | QUIRE_LOCK_ALL_FUTURE | QUIRE_LOCK_ALL_ON_FAULT;
    if (args[0] == 0 || args[0] & ~all || args[0] == QUIRE_LOCK_ALL_ON_FAULT)
        return -OS_EINVAL;
    if (!os_memory_may_lock(process))
        return -OS_EPERM;
    if (!process->space)
        return -OS_ENOMEM;
    struct quire_space_usage usage;
    quire_space_usage(process->space, &usage);
    if ((args[0] & QUIRE_LOCK_ALL_CURRENT) &&
        os_memory_over_lock_limit(process, (usage.virtual_pages - usage.locked) * QUIRE_PAGE_SIZE))
        return -OS_ENOMEM;
    return os_errno(quire_lock_all(process->space, (unsigned)args[0]));
}

int64_t os_sys_munlockall(struct os_task *task, const uint64_t args[6]) {
    (void)args;
    return task->process->space ? os_errno(quire_lock_all(task->process->space, 0)) : 0;
}
