/* map.c: new regions: quire_map and the heap's end.
 *
 * A map call only writes a record: memory comes with the faults. It is placed exactly (FIXED,
 * NOREPLACE), at a hint if that is free, or as high as possible below map_top, so that the mappings
 * grow down towards the heap that grows up. It is merged with a neighbour that matches.
 *
 * What may fail: every call; the records are taken first, so that a replaced mapping is only undone
 * when the new one is sure to come. Called by core/calls.c; audited with the regions (region.c).
 */
#include "kmem/slab.h"
#include "vm/change.h"
#include "vm/commit.h"
#include "vm/object.h"
#include "vm/space.h"

struct placement {
    uint64_t start, length; /* bytes, whole pages */
    bool fixed;             /* what is there goes */
};

/* Arguments that no state of the space can make right. */
static enum quire_status validate(const struct quire_space *space, uint64_t va, uint64_t length,
                                  unsigned prot, unsigned flags, struct quire_object *object,
                                  uint64_t offset) {
    const unsigned all = QUIRE_PROT_READ | QUIRE_PROT_WRITE | QUIRE_PROT_EXEC;
    bool exact = flags & (QUIRE_MAP_FIXED | QUIRE_MAP_NOREPLACE);
    if (!length || (prot & ~all) || (offset & QUIRE_PAGE_MASK)) {
        return QUIRE_INVAL;
    }
    if (exact && (va & QUIRE_PAGE_MASK)) {
        return QUIRE_INVAL;
    }
    if ((flags & QUIRE_MAP_GROWSDOWN) && (object || (flags & QUIRE_MAP_SHARED))) {
        return QUIRE_INVAL;
    }
    if ((prot & QUIRE_PROT_WRITE) && (flags & QUIRE_MAP_DENY_WRITE)) {
        return QUIRE_PERM;
    }
    if (length > space->config.high.value - space->config.low.value) {
        return QUIRE_NOROOM; /* also lengths that wrap when rounded up */
    }
    if (object && offset + quire_round_up(length) < offset) {
        return QUIRE_INVAL; /* EOVERFLOW of Linux */
    }
    return QUIRE_OK;
}

static enum quire_status place(struct quire_space *space, uint64_t va, unsigned flags,
                               struct placement *out) {
    bool exact = flags & (QUIRE_MAP_FIXED | QUIRE_MAP_NOREPLACE);
    out->fixed = exact && !(flags & QUIRE_MAP_NOREPLACE);
    if (!exact) {
        bool found = quire_region_search(space, out->length, quire_round_up(va), &out->start);
        return found ? QUIRE_OK : QUIRE_NOROOM;
    }
    out->start = va;
    if (va < space->config.low.value) {
        return QUIRE_PERM; /* below mmap_min_addr */
    }
    if (va > space->config.high.value - out->length) {
        return QUIRE_NOROOM;
    }
    if (!out->fixed && !quire_region_range_free(space, va, va + out->length)) {
        return QUIRE_EXIST;
    }
    return QUIRE_OK;
}

/* May it be had, in the place of what it replaces? */
static enum quire_status claim(const struct quire_space *space, const struct placement *at,
                               unsigned prot, unsigned flags) {
    struct quire_claim claim = {0};
    quire_claim_add(&claim, prot, flags, quire_pages(at->length), 1);
    if (at->fixed) {
        quire_claim_less_range(&claim, space, at->start, at->start + at->length);
    }
    return quire_claim_check(space, &claim);
}

/* Shared memory without an object is a new object that only this mapping refers to. */
static enum quire_status object_for(struct quire_space *space, unsigned flags, uint64_t length,
                                    struct quire_object **object) {
    static const struct quire_object_info info = {.name = "/dev/zero (deleted)"}; /* as on Linux */
    if (*object) {
        quire_object_ref(*object);
        return QUIRE_OK;
    }
    if (!(flags & QUIRE_MAP_SHARED)) {
        return QUIRE_OK;
    }
    return quire_vm_object_create(space->q, NULL, NULL, length, &info, object);
}

/* Make the record and put it in. Cannot fail. => one spare at least; takes over the object
 * reference */
static struct quire_region *put_region(struct quire_space *space, struct quire_spares *spares,
                                       const struct placement *at, unsigned prot, unsigned flags,
                                       struct quire_object *object, uint64_t offset) {
    struct quire_region *region = quire_spares_pop(spares);
    *region = (struct quire_region){.space = space,
                                    .start = at->start,
                                    .end = at->start + at->length,
                                    .prot = prot,
                                    .flags = flags & QUIRE_REGION_KEPT,
                                    .object = object,
                                    .page_offset = object ? quire_pages(offset) : 0};
    quire_region_insert(space, region);
    return quire_region_merge(space, region);
}

enum quire_status quire_vm_map(struct quire_space *space, quire_vaddr *va, uint64_t length_bytes,
                               unsigned prot, unsigned flags, struct quire_object *object,
                               uint64_t offset_bytes) {
    struct placement at = {.length = quire_round_up(length_bytes)};
    struct quire_spares spares = {.count = 0};
    enum quire_status status =
        validate(space, va->value, length_bytes, prot, flags, object, offset_bytes);
    if (status == QUIRE_OK) {
        status = place(space, va->value, flags, &at);
    }
    if (status != QUIRE_OK) {
        return status;
    }
    if ((flags & QUIRE_MAP_SHARED) && (prot & QUIRE_PROT_WRITE) && object && !object->shm &&
        !object->pager.write) {
        return QUIRE_PERM;
    }
    flags |= space->lock_future;
    if (space->q->vm->overcommit.mode == QUIRE_OVERCOMMIT_NEVER) {
        flags &= ~(unsigned)QUIRE_MAP_NORESERVE; /* there, everything is counted */
    }
    status = claim(space, &at, prot, flags);
    if (status != QUIRE_OK) {
        return status;
    }
    uint64_t end = at.start + at.length;
    unsigned cuts = at.fixed ? quire_region_cuts(space, at.start, end) : 0;
    unsigned growth = at.fixed ? quire_region_unmap_growth(space, at.start, end) : 0;
    status = quire_spares_take(space, &spares, cuts + 1, growth + 1);
    if (status != QUIRE_OK) {
        return status;
    }
    status = object_for(space, flags, at.length, &object);
    if (status != QUIRE_OK) {
        quire_spares_return(space, &spares);
        return status;
    }
    if (at.fixed) {
        quire_change_unmap(space, at.start, end, &spares);
    }
    put_region(space, &spares, &at, prot, flags, object, offset_bytes);
    va->value = at.start;
    quire_trace(&space->q->trace, QUIRE_EVENT_MAP, at.start, quire_pages(at.length));
    return QUIRE_OK;
}

/* ---- the heap's end ------------------------------------------------------------------------ */

void quire_brk_start(struct quire_space *space, quire_vaddr start) {
    space->brk_start = space->brk_end = start.value;
}

/* The heap grows by whole pages from old to end, both rounded, up to high. QUIRE_NOROOM: something
 * is there, or would be too near: as Linux, one page and a stack's gap are kept free above the
 * heap. */
static enum quire_status grow_heap(struct quire_space *space, uint64_t old, uint64_t end) {
    struct quire_spares spares = {.count = 0};
    const struct quire_region *above = quire_region_above(space, old);
    struct placement at = {.start = old, .length = end - old};
    uint64_t kept = QUIRE_PAGE_SIZE;
    if (above && (above->flags & QUIRE_MAP_GROWSDOWN)) {
        kept += space->config.stack_gap_bytes;
    }
    if (above && above->start < end + kept) {
        return QUIRE_NOROOM;
    }
    enum quire_status status = claim(space, &at, QUIRE_PROT_READ | QUIRE_PROT_WRITE, 0);
    if (status == QUIRE_OK) {
        status = quire_spares_take(space, &spares, 1, 1);
    }
    if (status == QUIRE_OK) {
        put_region(space, &spares, &at, QUIRE_PROT_READ | QUIRE_PROT_WRITE,
                   QUIRE_MAP_HEAP_TAG | space->lock_future, NULL, 0);
        quire_trace(&space->q->trace, QUIRE_EVENT_MAP, old, quire_pages(end - old));
    }
    return status;
}

enum quire_status quire_vm_brk(struct quire_space *space, quire_vaddr *end) {
    uint64_t wanted = end->value;
    uint64_t old_top = quire_round_up(space->brk_end), top = quire_round_up(wanted);
    enum quire_status status = QUIRE_OK;
    if (wanted < space->brk_start || wanted > space->config.high.value || !space->brk_start) {
        status = QUIRE_NOROOM;
    } else if (top > old_top) {
        status = grow_heap(space, old_top, top);
    } else if (top < old_top) {
        status = quire_vm_unmap(space, quire_va(top), old_top - top);
    }
    if (status == QUIRE_NOMEM) {
        return QUIRE_NOMEM;
    }
    if (status == QUIRE_OK) {
        space->brk_end = wanted;
    }
    end->value = space->brk_end;
    return QUIRE_OK;
}
