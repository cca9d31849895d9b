/* calls.c: the calls of space.h that may need memory: vm/ does them once, here they are tried
 * again.
 *
 * Owns no state. Each call is its one-shot twin in vm/ in the retry loop of retry.h; what is more
 * than that (populate, read-ahead, page-out) is done page by page on top, because it is a favour to
 * the program, not part of what the call promises.
 *
 *     os/ ─▶ quire_map ─▶ quire_vm_map ── NOMEM ─▶ reclaim ─▶ again … ─▶ QUIRE_NOMEM to the program
 *                              └── OK ─▶ populate: faults until the first refusal
 *
 * I1. No program is ever killed for a call: unlike a fault, a call can be refused.
 * I2. A refused call has left no trace (vm/ promises it for each of its attempts).
 *
 * Fails as space.h says. Called by os/ and embedders.
 */
#include "core/retry.h"
#include "reclaim/reclaim.h"
#include "vm/vm.h"

/* ---- spaces and objects ------------------------------------------------------------------------
 */

enum quire_status quire_space_create(struct quire *q, const struct quire_space_config *config,
                                     struct quire_space **out) {
    enum quire_status status;
    WITH_MEMORY(q, NULL, status, quire_vm_space_create(q, config, out));
    return status;
}

enum quire_status quire_space_fork(struct quire_space *parent, void *owner,
                                   struct quire_space **child) {
    struct quire *q = quire_space_system(parent);
    enum quire_status status;
    WITH_MEMORY(q, parent, status, quire_vm_space_fork(parent, owner, child));
    return status;
}

enum quire_status quire_object_create_file(struct quire *q, const struct quire_pager *pager,
                                           void *context, const struct quire_object_info *info,
                                           struct quire_object **out) {
    enum quire_status status;
    if (!pager) {
        return QUIRE_INVAL;
    }
    WITH_MEMORY(q, NULL, status, quire_vm_object_create(q, pager, context, 0, info, out));
    return status;
}

enum quire_status quire_object_create_shm(struct quire *q, uint64_t size_bytes,
                                          const struct quire_object_info *info,
                                          struct quire_object **out) {
    enum quire_status status;
    WITH_MEMORY(q, NULL, status, quire_vm_object_create(q, NULL, NULL, size_bytes, info, out));
    return status;
}

/* ---- regions ------------------------------------------------------------------------------------
 */

/* As Linux's populate_vma_page_range: private writable memory is made the program's own at once,
 * everything else is only read in. QUIRE_DENIED: no access is allowed there; QUIRE_NOMEM. */
static enum quire_status populate(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                                  unsigned prot, unsigned flags) {
    enum quire_access access = QUIRE_ACCESS_READ;
    enum quire_status status = QUIRE_OK;
    if ((prot & QUIRE_PROT_WRITE) && !(flags & QUIRE_MAP_SHARED)) {
        access = QUIRE_ACCESS_WRITE;
    } else if (!(prot & QUIRE_PROT_READ)) {
        access = QUIRE_ACCESS_EXEC;
    }
    for (uint64_t done = 0; done < length_bytes && status == QUIRE_OK; done += QUIRE_PAGE_SIZE) {
        status = quire_fault_try(space, quire_va(va.value + done), access);
    }
    return status;
}

/* Bring in what the locked regions of the range promise to keep; what can't be had is passed over,
 * the first reason is told. O(1) if nothing in the space is locked. */
static enum quire_status fill_locked(struct quire_space *space, quire_vaddr va, uint64_t length) {
    struct quire_region_info region;
    enum quire_status result = QUIRE_OK;
    uint64_t end = va.value + length;
    if (!quire_vm_has_locks(space)) {
        return QUIRE_OK;
    }
    for (; quire_region_at_or_after(space, va, false, &region); va = region.end) {
        uint64_t first = region.start.value > va.value ? region.start.value : va.value;
        uint64_t last = region.end.value < end ? region.end.value : end;
        if (first >= end) {
            break;
        }
        unsigned locks = region.flags & (QUIRE_MAP_LOCKED | QUIRE_MAP_LOCK_ON_FAULT);
        if (locks == QUIRE_MAP_LOCKED) {
            enum quire_status status =
                populate(space, quire_va(first), last - first, region.prot, region.flags);
            result = result == QUIRE_OK ? status : result;
        }
    }
    return result;
}

enum quire_status quire_map(struct quire_space *space, quire_vaddr *va, uint64_t length_bytes,
                            unsigned prot, unsigned flags, struct quire_object *object,
                            uint64_t offset_bytes) {
    struct quire *q = quire_space_system(space);
    enum quire_status status;
    WITH_MEMORY(q, space, status,
                quire_vm_map(space, va, length_bytes, prot, flags, object, offset_bytes));
    if (status == QUIRE_OK && (flags & QUIRE_MAP_POPULATE)) {
        populate(space, *va, quire_round_up(length_bytes), prot, flags);
    }
    if (status == QUIRE_OK) {
        fill_locked(space, *va, quire_round_up(length_bytes));
    }
    return status;
}

enum quire_status quire_unmap(struct quire_space *space, quire_vaddr va, uint64_t length_bytes) {
    struct quire *q = quire_space_system(space);
    enum quire_status status;
    WITH_MEMORY(q, space, status, quire_vm_unmap(space, va, length_bytes));
    return status;
}

enum quire_status quire_protect(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                                unsigned prot) {
    struct quire *q = quire_space_system(space);
    enum quire_status status;
    WITH_MEMORY(q, space, status, quire_vm_protect(space, va, length_bytes, prot));
    return status;
}

enum quire_status quire_remap(struct quire_space *space, quire_vaddr old_va, uint64_t old_bytes,
                              uint64_t new_bytes, unsigned flags, quire_vaddr *new_va) {
    struct quire *q = quire_space_system(space);
    enum quire_status status;
    WITH_MEMORY(q, space, status,
                quire_vm_remap(space, old_va, old_bytes, new_bytes, flags, new_va));
    if (status == QUIRE_OK) {
        fill_locked(space, *new_va, quire_round_up(new_bytes));
    }
    return status;
}

quire_vaddr quire_brk(struct quire_space *space, quire_vaddr end) {
    struct quire *q = quire_space_system(space);
    enum quire_status status;
    quire_vaddr result = end, old = quire_va(0);
    quire_vm_brk(space, &old);
    WITH_MEMORY(q, space, status, quire_vm_brk(space, &result));
    if (status == QUIRE_OK) {
        uint64_t from = quire_round_up(old.value), to = quire_round_up(result.value);
        if (to > from) {
            fill_locked(space, quire_va(from), to - from);
        }
        return result;
    }
    result = quire_va(0); /* below the heap: cannot be had, so the answer is where the end is now */
    quire_vm_brk(space, &result);
    return result;
}

/* ---- advice -------------------------------------------------------------------------------------
 */

/* Pages asked about at a time: the answers lie on the stack. */
#define ADVICE_BATCH 256

/* Read in what lies on swap or in the file, while memory is free anyway. */
static enum quire_status read_ahead(struct quire_space *space,
                                    const struct quire_region_info *region, quire_vaddr start,
                                    quire_vaddr end) {
    struct quire *q = quire_space_system(space);
    uint8_t resident[ADVICE_BATCH];
    (void)region; /* where nothing may be read, the first fault says so */
    while (start.value < end.value) {
        uint64_t npages = (end.value - start.value) >> QUIRE_PAGE_SHIFT;
        npages = npages < ADVICE_BATCH ? npages : ADVICE_BATCH;
        if (quire_incore(space, start, npages << QUIRE_PAGE_SHIFT, resident) != QUIRE_OK) {
            return QUIRE_OK;
        }
        for (uint64_t i = 0; i < npages; i++) {
            if (resident[i]) {
                continue;
            }
            if (quire_page_count(q, QUIRE_USE_FREE) <= quire_page_watermark(q, QUIRE_WMARK_HIGH)) {
                return QUIRE_OK;
            }
            quire_vaddr va = quire_va(start.value + (i << QUIRE_PAGE_SHIFT));
            if (quire_fault_try(space, va, QUIRE_ACCESS_READ) != QUIRE_OK) {
                return QUIRE_OK;
            }
        }
        start.value += npages << QUIRE_PAGE_SHIFT;
    }
    return QUIRE_OK;
}

/* As Linux, leave pages alone that another mapping uses too. */
static enum quire_status page_out(struct quire_space *space, const struct quire_region_info *region,
                                  quire_vaddr start, quire_vaddr end) {
    struct quire *q = quire_space_system(space);
    if (region->flags & QUIRE_MAP_LOCKED) {
        return QUIRE_INVAL;
    }
    for (; start.value < end.value; start.value += QUIRE_PAGE_SIZE) {
        struct quire_page *page = quire_vm_page_at(space, start);
        if (page && page->nmaps <= 1) {
            quire_reclaim_page(q, page);
        }
    }
    return QUIRE_OK;
}

/* Everywhere: places come in ascending order. */
#define EVERYWHERE quire_va(UINT64_MAX & ~QUIRE_PAGE_MASK)

static bool is_locked(const struct quire_space *space, quire_vaddr va) {
    struct quire_region_info region;
    return quire_region_at_or_after(space, va, false, &region) && region.start.value <= va.value &&
           region.flags & QUIRE_MAP_LOCKED;
}

uint64_t quire_space_swap_out(struct quire_space *space) {
    struct quire *q = quire_space_system(space);
    struct quire_place place;
    uint64_t left = 0;
    quire_vaddr va = quire_va(0);
    for (; quire_vm_next_place(space, va, EVERYWHERE, &place);
         va = quire_va(place.va.value + QUIRE_PAGE_SIZE)) {
        if (place.page && (place.page->nmaps > 1 || is_locked(space, place.va) ||
                           !quire_reclaim_page(q, place.page))) {
            left++;
        }
    }
    return left;
}

uint64_t quire_space_swap_in(struct quire_space *space) {
    struct quire *q = quire_space_system(space);
    struct quire_place place;
    uint64_t left = 0;
    quire_vaddr va = quire_va(0);
    for (; quire_vm_next_place(space, va, EVERYWHERE, &place);
         va = quire_va(place.va.value + QUIRE_PAGE_SIZE)) {
        bool room = quire_page_count(q, QUIRE_USE_FREE) > quire_page_watermark(q, QUIRE_WMARK_HIGH);
        if (!place.page &&
            (!room || quire_fault_try(space, place.va, QUIRE_ACCESS_READ) != QUIRE_OK)) {
            left++;
        }
    }
    return left;
}

/* Do it to each region of the range; holes are passed over and reported, as madvise does. */
static enum quire_status
each_region(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
            enum quire_status (*act)(struct quire_space *, const struct quire_region_info *,
                                     quire_vaddr, quire_vaddr)) {
    uint64_t length = quire_round_up(length_bytes);
    if ((va.value & QUIRE_PAGE_MASK) || length < length_bytes || va.value + length < va.value) {
        return QUIRE_INVAL;
    }
    quire_vaddr end = quire_va(va.value + length);
    struct quire_region_info region;
    bool holes = false;
    while (va.value < end.value) {
        if (!quire_region_at_or_after(space, va, false, &region) ||
            region.start.value >= end.value) {
            holes = true;
            break;
        }
        holes |= region.start.value > va.value;
        quire_vaddr from = region.start.value > va.value ? region.start : va;
        quire_vaddr to = region.end.value < end.value ? region.end : end;
        enum quire_status status = act(space, &region, from, to);
        if (status != QUIRE_OK) {
            return status;
        }
        va = to;
    }
    return holes ? QUIRE_UNMAPPED : QUIRE_OK;
}

/* POPULATE_READ, POPULATE_WRITE: all of it, page by page, up to the first refusal. */
static enum quire_status populate_range(struct quire_space *space, quire_vaddr va, uint64_t length,
                                        enum quire_access access) {
    struct quire_region_info region = {.end = {0}};
    length = quire_round_up(length);
    if ((va.value & QUIRE_PAGE_MASK) || va.value + length < va.value) {
        return QUIRE_INVAL;
    }
    for (uint64_t end = va.value + length; va.value < end; va.value += QUIRE_PAGE_SIZE) {
        if (va.value >= region.end.value) {
            if (!quire_region_at_or_after(space, va, false, &region) ||
                region.start.value > va.value) {
                return QUIRE_UNMAPPED;
            }
            if (!(region.prot & (unsigned)access)) {
                return QUIRE_INVAL;
            }
        }
        enum quire_status status = quire_fault_try(space, va, access);
        if (status != QUIRE_OK) {
            return status == QUIRE_BUS ? QUIRE_FAULT : status;
        }
    }
    return QUIRE_OK;
}

enum quire_status quire_advise(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                               enum quire_advice advice) {
    struct quire *q = quire_space_system(space);
    enum quire_status status;
    switch (advice) {
    case QUIRE_ADVISE_WILLNEED:
        return each_region(space, va, length_bytes, read_ahead);
    case QUIRE_ADVISE_PAGEOUT:
        return each_region(space, va, length_bytes, page_out);
    case QUIRE_ADVISE_POPULATE_READ:
        return populate_range(space, va, length_bytes, QUIRE_ACCESS_READ);
    case QUIRE_ADVISE_POPULATE_WRITE:
        return populate_range(space, va, length_bytes, QUIRE_ACCESS_WRITE);
    default:
        WITH_MEMORY(q, space, status, quire_vm_advise(space, va, length_bytes, advice));
        return status;
    }
}

/* ---- locks --------------------------------------------------------------------------------------
 */

static enum quire_status set_locks(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                                   unsigned locks) {
    struct quire *q = quire_space_system(space);
    enum quire_status status;
    uint64_t inside = va.value & QUIRE_PAGE_MASK;
    if (length_bytes + inside < length_bytes) {
        return QUIRE_INVAL;
    }
    va.value -= inside;
    length_bytes += inside;
    WITH_MEMORY(q, space, status, quire_vm_lock(space, va, length_bytes, locks));
    if (status != QUIRE_OK || locks != QUIRE_MAP_LOCKED) {
        return status;
    }
    status = fill_locked(space, va, quire_round_up(length_bytes));
    if (status == QUIRE_NOMEM) {
        return QUIRE_BUSY;
    }
    return status == QUIRE_OK || status == QUIRE_KILLED ? status : QUIRE_UNMAPPED;
}

enum quire_status quire_lock(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                             bool on_fault) {
    unsigned locks = QUIRE_MAP_LOCKED;
    if (on_fault) {
        locks |= QUIRE_MAP_LOCK_ON_FAULT;
    }
    return set_locks(space, va, length_bytes, locks);
}

enum quire_status quire_unlock(struct quire_space *space, quire_vaddr va, uint64_t length_bytes) {
    return set_locks(space, va, length_bytes, 0);
}

enum quire_status quire_lock_all(struct quire_space *space, unsigned flags) {
    if (flags &
        ~(unsigned)(QUIRE_LOCK_ALL_CURRENT | QUIRE_LOCK_ALL_FUTURE | QUIRE_LOCK_ALL_ON_FAULT)) {
        return QUIRE_INVAL;
    }
    quire_vm_lock_all(space, flags);
    if (flags & QUIRE_LOCK_ALL_CURRENT) {
        fill_locked(space, quire_va(0), UINT64_MAX);
    }
    return QUIRE_OK;
}
