/* change.c: what happens to regions that are there: unmap, protect, sync, and who is resident.
 *
 * All work the same way: take the records for the cuts, cut so that the range's ends are borders of
 * regions, then go over whole regions, then merge what matches again.
 *
 *     [   A   ][ B ][   C   ]        [ A ]            [ C ]
 *         |-- unmap --|        ->        . . . . . . .
 *
 * Invariants:
 *   I1  the machine forgets a mapping before the frame below it is given back
 *   I2  taking a permission away reaches the machine at once; giving one does not: the next access
 *       faults and gets it
 *
 * What may fail: taking records, and I/O in sync. Called by core/calls.c, map.c, remap.c, object.c.
 */
#include "vm/change.h"

#include "kmem/slab.h"
#include "vm/anon.h"
#include "vm/commit.h"
#include "vm/huge.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

/* ---- pages out of a region ----------------------------------------------------------------- */

static void leave_anon(void *context, uint64_t index, void *value) {
    struct quire_space *space = context;
    (void)index;
    quire_anon_leave(space, value);
    quire_anon_put(space->q, value);
}

static void drop_anon(void *context, uint64_t index, void *value) {
    const struct quire_anon *anon = value;
    if (anon->page) {
        quire_rmap_remove(anon->page, context, index << QUIRE_PAGE_SHIFT);
    }
    leave_anon(context, index, value);
}

/* The object's pages are no longer mapped at these addresses. */
static void forget_object(struct quire_space *space, const struct quire_region *region,
                          uint64_t start, uint64_t end) {
    struct quire_radix *pages = &region->object->pages;
    uint64_t index = region->page_offset + quire_pages(start - region->start);
    uint64_t last = index + quire_pages(end - start), base = index;
    for (; quire_radix_next(pages, &index) != NULL && index < last; index++) {
        struct quire_page *page = quire_object_page(region->object, index);
        if (page) {
            quire_rmap_remove(page, space, start + ((index - base) << QUIRE_PAGE_SHIFT));
        }
    }
}

void quire_change_drop(struct quire_space *space, struct quire_region *region, uint64_t start,
                       uint64_t end) {
    if (!region->touched) {
        return;
    }
    if (region->entered) {
        quire_huge_leave(space, start, end);
        quire_mach_pmap_remove(space->pmap, quire_va(start), quire_pages(end - start)); /* I1 */
        if (region->object) {
            forget_object(space, region, start, end);
        }
    }
    if (!(region->flags & QUIRE_MAP_SHARED) && space->anons.count) {
        /* What a child of fork never looked at is nowhere mapped: no frame's struct is read. */
        quire_radix_clear(&space->anons, quire_pages(start), quire_pages(end) - 1,
                          region->entered ? drop_anon : leave_anon, space);
    }
}

/* ---- unmap --------------------------------------------------------------------------------- */

void quire_change_unmap(struct quire_space *space, uint64_t start, uint64_t end,
                        struct quire_spares *spares) {
    quire_region_cut(space, start, end, spares);
    struct quire_region *region = quire_region_above(space, start);
    while (region && region->start < end) {
        struct quire_region *next = quire_region_next(region);
        quire_change_drop(space, region, region->start, region->end);
        quire_region_destroy(space, region);
        region = next;
    }
    quire_trace(&space->q->trace, QUIRE_EVENT_UNMAP, start, quire_pages(end - start));
}

bool quire_change_range(const struct quire_space *space, uint64_t va, uint64_t length,
                        uint64_t *end) {
    uint64_t high = space->config.high.value;
    *end = va + quire_round_up(length);
    return !(va & QUIRE_PAGE_MASK) && va <= high && length <= high - va;
}

enum quire_status quire_vm_unmap(struct quire_space *space, quire_vaddr va, uint64_t length_bytes) {
    struct quire_spares spares = {.count = 0};
    uint64_t end;
    if (!length_bytes || !quire_change_range(space, va.value, length_bytes, &end)) {
        return QUIRE_INVAL;
    }
    unsigned cuts = quire_region_cuts(space, va.value, end);
    if (cuts) {
        enum quire_status status = quire_spares_take(
            space, &spares, cuts, quire_region_unmap_growth(space, va.value, end));
        if (status != QUIRE_OK) {
            return status;
        }
    }
    quire_change_unmap(space, va.value, end, &spares);
    return QUIRE_OK;
}

/* ---- one change for all regions of a range --------------------------------------------------- */

enum quire_status quire_change_each(struct quire_space *space, uint64_t start, uint64_t end,
                                    quire_region_change *change, unsigned argument) {
    struct quire_spares spares = {.count = 0};
    unsigned cuts = quire_region_cuts(space, start, end);
    enum quire_status status = quire_spares_take(space, &spares, cuts, cuts);
    if (status != QUIRE_OK) {
        return status;
    }
    quire_region_cut(space, start, end, &spares);
    struct quire_region *region = quire_region_above(space, start);
    while (region && region->start < end) {
        region = quire_region_next(change(space, region, argument));
    }
    return QUIRE_OK;
}

/* ---- protect ------------------------------------------------------------------------------- */

/* May region get this protection? Linux refuses at the region, not before the call begins. */
static bool may_protect(const struct quire_region *region, unsigned prot) {
    if (!(prot & QUIRE_PROT_WRITE)) {
        return true;
    }
    const struct quire_object *object = region->object;
    bool shared_file = object && !object->shm && (region->flags & QUIRE_MAP_SHARED);
    return !(region->flags & QUIRE_MAP_DENY_WRITE) && !(shared_file && !object->pager.write);
}

/* How far a protect of [start, end) comes: *stop is the first hole or refusing region, or end. */
static enum quire_status protect_reach(const struct quire_space *space, uint64_t start,
                                       uint64_t end, unsigned prot, uint64_t *stop) {
    const struct quire_region *region = quire_region_above(space, start);
    struct quire_claim claim = {0};
    for (*stop = start; *stop < end; region = quire_region_next(region)) {
        if (!region || region->start > *stop) {
            return QUIRE_UNMAPPED;
        }
        if (!may_protect(region, prot)) {
            return QUIRE_DENIED;
        }
        uint64_t reach = region->end < end ? region->end : end;
        quire_claim_add(&claim, region->prot, region->flags, quire_pages(reach - *stop), -1);
        quire_claim_add(&claim, prot, region->flags, quire_pages(reach - *stop), 1);
        if (quire_claim_check(space, &claim) != QUIRE_OK) {
            return QUIRE_NOROOM;
        }
        *stop = reach;
    }
    return QUIRE_OK;
}

/* Also a region that has this protection already is merged: it may have been cut for the range. */
static struct quire_region *protect_region(struct quire_space *space, struct quire_region *region,
                                           unsigned prot) {
    unsigned lost = region->prot & ~prot;
    quire_space_account(space, region, -1);
    region->prot = prot;
    quire_space_account(space, region, 1);
    if (lost && region->touched) { /* I2 */
        unsigned left = prot & QUIRE_PROT_WRITE ? prot | QUIRE_PROT_READ : prot;
        quire_mach_pmap_protect(space->pmap, quire_va(region->start),
                                quire_pages(region->end - region->start), left);
    }
    return quire_region_merge(space, region);
}

enum quire_status quire_vm_protect(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                                   unsigned prot) {
    uint64_t start = va.value, end, stop;
    if (prot & ~(unsigned)(QUIRE_PROT_READ | QUIRE_PROT_WRITE | QUIRE_PROT_EXEC)) {
        return QUIRE_INVAL;
    }
    if (!quire_change_range(space, start, length_bytes, &end)) {
        return start & QUIRE_PAGE_MASK ? QUIRE_INVAL : QUIRE_UNMAPPED;
    }
    enum quire_status result = protect_reach(space, start, end, prot, &stop);
    if (stop == start) {
        return result;
    }
    enum quire_status status = quire_change_each(space, start, stop, protect_region, prot);
    if (status != QUIRE_OK) {
        return status;
    }
    quire_trace(&space->q->trace, QUIRE_EVENT_PROTECT, start,
                quire_pages(stop - start) << 3 | prot);
    return result;
}

/* ---- incore, sync -------------------------------------------------------------------------- */

enum quire_status quire_incore(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                               uint8_t *resident) {
    uint64_t end;
    if (va.value & QUIRE_PAGE_MASK) {
        return QUIRE_INVAL;
    }
    if (!quire_change_range(space, va.value, length_bytes, &end) ||
        quire_region_reach(space, va.value, end) < end) {
        return QUIRE_UNMAPPED;
    }
    for (; va.value < end; va.value += QUIRE_PAGE_SIZE) {
        struct quire_pmap_entry entry = {.mapped = false};
        bool here = quire_vm_page_at(space, va) != NULL;
        if (!here) { /* the page of zeros, once read, does not fault either */
            quire_mach_pmap_query(space->pmap, va, &entry);
        }
        *resident++ = here || entry.mapped;
    }
    return QUIRE_OK;
}

/* Write the dirty pages of a shared file region's part back; the first error is kept. */
static enum quire_status sync_region(const struct quire_region *region, uint64_t start,
                                     uint64_t end) {
    struct quire_object *object = region->object;
    enum quire_status result = QUIRE_OK;
    if (!object || object->shm || !(region->flags & QUIRE_MAP_SHARED) || !object->ndirty) {
        return QUIRE_OK;
    }
    uint64_t index = region->page_offset + quire_pages(start - region->start);
    uint64_t last = index + quire_pages(end - start);
    struct quire_page *page;
    for (; (page = quire_radix_next(&object->pages, &index)) != NULL && index < last; index++) {
        enum quire_status status = quire_file_write_back(object, page);
        result = result == QUIRE_OK ? status : result;
    }
    return result;
}

enum quire_status quire_sync(struct quire_space *space, quire_vaddr va, uint64_t length_bytes) {
    uint64_t end;
    enum quire_status result = QUIRE_OK;
    if (va.value & QUIRE_PAGE_MASK) {
        return QUIRE_INVAL;
    }
    if (!quire_change_range(space, va.value, length_bytes, &end)) {
        return QUIRE_UNMAPPED;
    }
    const struct quire_region *region = quire_region_above(space, va.value);
    for (; region && region->start < end; region = quire_region_next(region)) {
        uint64_t first = region->start > va.value ? region->start : va.value;
        enum quire_status status =
            sync_region(region, first, region->end < end ? region->end : end);
        result = result == QUIRE_OK ? status : result;
    }
    if (result == QUIRE_OK && quire_region_reach(space, va.value, end) < end) {
        return QUIRE_UNMAPPED;
    }
    return result;
}
