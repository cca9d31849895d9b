/* remap.c: mremap: grow, shrink, move or double a mapping; pages go along by their array entries.
 *
 *     old  [ . A . B ]  --->  new  [ . A . B . . ]     entries change place, anons and frames stay,
 *      |   mappings dropped            |               and so does what the reverse map knows; the
 *      '-- gone, or empty              |               machine learns the new places by faults
 *
 * First the records for all cuts (five at most), then what lies at a fixed target goes, then the
 * new entries of the sparse array; from there on nothing can fail: the old entries go, the old
 * place is cut, or kept without pages (DONT_UNMAP).
 *
 * Invariants:
 *   I1  QUIRE_NOMEM leaves regions, entries and counts as they were, but for a fixed target, which
 *       is gone by then (as on Linux)
 *   I2  an anon is referred to from one place of the space before and after: refs do not change
 *   I3  a locked page stays locked: its reverse map moves, it is never without
 *
 * What may fail: as the header says. Called by core/calls.c.
 */
#include "kmem/slab.h"
#include "vm/anon.h"
#include "vm/change.h"
#include "vm/commit.h"
#include "vm/huge.h"
#include "vm/lock.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

struct move {
    struct quire_space *space;
    uint64_t old_start, old_bytes; /* page-aligned, rounded */
    uint64_t new_start, new_bytes;
    bool fixed;    /* what is at new_start goes */
    bool keep_old; /* the old region stays, without its pages */
};

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* ---- arguments, in Linux's order ----------------------------------------------------------- */

static bool flags_are_valid(const struct move *m, unsigned flags) {
    const unsigned all = QUIRE_REMAP_MAY_MOVE | QUIRE_REMAP_FIXED | QUIRE_REMAP_DONT_UNMAP;
    bool may_move = flags & QUIRE_REMAP_MAY_MOVE;
    if ((flags & ~all) || ((flags & QUIRE_REMAP_FIXED) && !may_move)) {
        return false;
    }
    return !(flags & QUIRE_REMAP_DONT_UNMAP) || (may_move && m->old_bytes == m->new_bytes);
}

/* A place that the program chose: inside the space, and not over the old one. */
static bool target_is_valid(const struct move *m, uint64_t wanted) {
    const struct quire_space_config *config = &m->space->config;
    return !(wanted & QUIRE_PAGE_MASK) && m->new_bytes <= config->high.value &&
           wanted <= config->high.value - m->new_bytes &&
           (!m->fixed || wanted >= config->low.value) &&
           (wanted >= m->old_start + m->old_bytes || m->old_start >= wanted + m->new_bytes);
}

/* May the part at old_start go on living in a mapping of new_bytes? */
static enum quire_status check_part(const struct move *m, const struct quire_region *region) {
    uint64_t span = m->space->config.high.value - m->space->config.low.value;
    if (!m->old_bytes && !(region->flags & QUIRE_MAP_SHARED)) {
        return QUIRE_INVAL; /* length 0 makes a second mapping of shared pages */
    }
    if (smaller(m->old_bytes, m->new_bytes) > region->end - m->old_start) {
        return QUIRE_FAULT;
    }
    if (m->new_bytes > span) {
        return QUIRE_NOROOM;
    }
    struct quire_claim claim = {0};
    quire_claim_add(&claim, region->prot, region->flags, quire_pages(m->new_bytes), 1);
    if (!m->keep_old) {
        quire_claim_add(&claim, region->prot, region->flags, quire_pages(m->old_bytes), -1);
    }
    return quire_claim_check(m->space, &claim);
}

/* ---- moving -------------------------------------------------------------------------------- */

/* Refer to the moving pages from their new places too. QUIRE_NOMEM: the new place is empty again.
 * Until the old entries are gone each anon is in two places with one reference (I2): nothing looks
 * at it between. */
static enum quire_status add_entries(const struct move *m) {
    struct quire_radix *anons = &m->space->anons;
    uint64_t first = quire_pages(m->old_start), index = first, to = quire_pages(m->new_start);
    uint64_t end = first + quire_pages(smaller(m->old_bytes, m->new_bytes));
    struct quire_anon *anon;
    for (; (anon = quire_radix_next(anons, &index)) != NULL && index < end; index++) {
        if (quire_radix_set(anons, to + (index - first), anon) != QUIRE_OK) {
            if (index > first) {
                quire_radix_clear(anons, to, to + (index - first) - 1, NULL, NULL);
            }
            return QUIRE_NOMEM;
        }
    }
    return QUIRE_OK;
}

/* I3 */
static void move_mapping(void *context, uint64_t index, void *value) {
    const struct move *m = context;
    struct quire_anon *anon = value;
    uint64_t to = quire_pages(m->new_start) + (index - quire_pages(m->old_start));
    if (anon->page) {
        quire_rmap_move(anon->page, m->space, index << QUIRE_PAGE_SHIFT, to << QUIRE_PAGE_SHIFT);
        anon->page->index = anon->refs == 1 ? to : anon->page->index;
    }
}

/* The pages are at their new places: empty the old ones. Cannot fail. Returns what is left of the
 * region, if it stays. */
static void leave_old(struct move *m, struct quire_region *region, struct quire_spares *spares) {
    struct quire_space *space = m->space;
    uint64_t moved = smaller(m->old_bytes, m->new_bytes), end = m->old_start + m->old_bytes;
    if (!m->old_bytes) {
        return;
    }
    quire_huge_leave(space, m->old_start, m->old_start + moved);
    quire_mach_pmap_remove(space->pmap, quire_va(m->old_start), quire_pages(moved));
    if (!(region->flags & QUIRE_MAP_SHARED)) {
        quire_radix_clear(&space->anons, quire_pages(m->old_start),
                          quire_pages(m->old_start + moved) - 1, move_mapping, m);
    }
    if (m->keep_old) {
        quire_change_drop(space, region, m->old_start, end); /* the object's mappings */
    } else {
        quire_change_unmap(space, m->old_start, end, spares);
    }
}

/* To new_start. => validated; new_start is free unless fixed. A fixed target is gone even if there
 * is no memory then, as on Linux: called again, the rest follows. */
static enum quire_status move(struct move *m, struct quire_region *region) {
    struct quire_space *space = m->space;
    struct quire_region record = *region;
    struct quire_spares spares = {.count = 0};
    uint64_t new_end = m->new_start + m->new_bytes, old_end = m->old_start + m->old_bytes;
    unsigned cuts = m->fixed ? quire_region_cuts(space, m->new_start, new_end) : 0;
    cuts += m->keep_old ? 0 : quire_region_cuts(space, m->old_start, old_end);
    enum quire_status status = quire_spares_take(space, &spares, cuts + 1, cuts + 1);
    if (status != QUIRE_OK) {
        return status;
    }
    if (record.object) { /* before the old place can drop the last one */
        quire_object_ref(record.object);
        record.page_offset += quire_pages(m->old_start - record.start);
    }
    if (m->fixed) {
        quire_change_unmap(space, m->new_start, new_end, &spares);
        region = quire_region_find(space, m->old_start); /* the cut may have split it */
    }
    if (!(record.flags & QUIRE_MAP_SHARED)) {
        status = add_entries(m);
    }
    if (status != QUIRE_OK) {
        quire_spares_return(space, &spares);
        if (record.object) {
            quire_object_unref(record.object);
        }
        return status;
    }
    leave_old(m, region, &spares);
    record.start = m->new_start;
    record.end = new_end;
    record.flags &= ~(uint32_t)(QUIRE_MAP_STACK_TAG | QUIRE_MAP_HEAP_TAG);
    struct quire_region *put = quire_spares_pop(&spares);
    *put = record;
    quire_region_insert(space, put);
    if (m->keep_old) { /* as Linux: the pages took the lock along */
        quire_lock_region(space, region, 0);
        put = quire_region_find(space, m->new_start); /* it may be one with the old one now */
    }
    quire_region_merge(space, put);
    quire_spares_return(space, &spares); /* one is left if old and new touch: one cut for both */
    quire_trace(&space->q->trace, QUIRE_EVENT_MAP, m->new_start, quire_pages(m->new_bytes));
    return QUIRE_OK;
}

static enum quire_status move_to(struct move *m, struct quire_region *region, uint64_t wanted) {
    enum quire_status status = check_part(m, region);
    if (status != QUIRE_OK) {
        return status;
    }
    m->new_start = wanted;
    if (!m->fixed && !quire_region_search(m->space, m->new_bytes, wanted, &m->new_start)) {
        return QUIRE_NOROOM;
    }
    return move(m, region);
}

/* ---- growing ------------------------------------------------------------------------------- */

/* Longer, where it is, if the region ends here and the room above is free. */
static bool grow_in_place(const struct move *m, struct quire_region *region) {
    uint64_t old_end = m->old_start + m->old_bytes, new_end = m->old_start + m->new_bytes;
    if (region->end != old_end || !m->old_bytes || new_end > m->space->config.high.value ||
        !quire_region_range_free(m->space, old_end, new_end)) {
        return false;
    }
    quire_region_resize(m->space, region, region->start, new_end);
    quire_region_merge(m->space, region);
    quire_trace(&m->space->q->trace, QUIRE_EVENT_MAP, old_end, quire_pages(new_end - old_end));
    return true;
}

static enum quire_status grow(struct move *m, struct quire_region *region, bool may_move) {
    enum quire_status status = check_part(m, region);
    if (status != QUIRE_OK || grow_in_place(m, region)) {
        return status;
    }
    if (!may_move || !quire_region_search(m->space, m->new_bytes, 0, &m->new_start)) {
        return QUIRE_NOROOM;
    }
    return move(m, region);
}

enum quire_status quire_vm_remap(struct quire_space *space, quire_vaddr old_va, uint64_t old_bytes,
                                 uint64_t new_bytes, unsigned flags, quire_vaddr *new_va) {
    struct move m = {.space = space,
                     .old_start = old_va.value,
                     .old_bytes = quire_round_up(old_bytes),
                     .new_start = old_va.value,
                     .new_bytes = quire_round_up(new_bytes),
                     .fixed = flags & QUIRE_REMAP_FIXED,
                     .keep_old = flags & QUIRE_REMAP_DONT_UNMAP};
    enum quire_status status = QUIRE_OK;
    if (!flags_are_valid(&m, flags) || (m.old_start & QUIRE_PAGE_MASK) || !m.new_bytes) {
        return QUIRE_INVAL;
    }
    bool placed = flags & (QUIRE_REMAP_FIXED | QUIRE_REMAP_DONT_UNMAP);
    if (placed && !target_is_valid(&m, new_va->value)) {
        return QUIRE_INVAL;
    }
    struct quire_region *region = quire_region_find(space, m.old_start);
    if (!region) {
        return QUIRE_FAULT;
    }
    if (placed) {
        status = move_to(&m, region, new_va->value);
    } else if (m.new_bytes > m.old_bytes) {
        status = grow(&m, region, flags & QUIRE_REMAP_MAY_MOVE);
    } else if (m.new_bytes < m.old_bytes) {
        status =
            quire_vm_unmap(space, quire_va(m.old_start + m.new_bytes), m.old_bytes - m.new_bytes);
    }
    if (status == QUIRE_OK) {
        new_va->value = m.new_start;
    }
    return status;
}
