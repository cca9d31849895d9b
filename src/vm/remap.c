/* remap.c: mremap: grow, shrink or move a mapping; pages go along by their array entries.
 *
 *     old  [ . A . B ]  --->  new  [ . A . B . . ]     entries change place, anons and frames stay;
 *      |   mappings dropped            |               the machine learns the new places by faults
 *
 * First the records for all cuts (five at most), then what lies at a fixed target goes, then the
 * new entries of the sparse array; from there on nothing can fail: the old entries go, the old
 * place is cut.
 *
 * Invariants:
 *   I1  QUIRE_NOMEM leaves regions, entries and counts as they were, but for a fixed target, which
 * is gone by then (as on Linux) I2  an anon is referred to from one place of the space before and
 * after: refs do not change
 *
 * What may fail: as the header says. Called by core/calls.c.
 */
#include "kmem/slab.h"
#include "vm/anon.h"
#include "vm/change.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

struct move {
    struct quire_space *space;
    uint64_t old_start, old_bytes; /* page-aligned, rounded */
    uint64_t new_start, new_bytes;
    bool fixed;
};

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* What QUIRE_INVAL and QUIRE_FAULT say of the arguments, in Linux's order. */
static enum quire_status validate(struct move *m, bool may_move, uint64_t wanted,
                                  struct quire_region **out) {
    const struct quire_space_config *config = &m->space->config;
    uint64_t span = config->high.value - config->low.value;
    if ((m->old_start & QUIRE_PAGE_MASK) || !m->new_bytes || (m->fixed && !may_move)) {
        return QUIRE_INVAL;
    }
    if (m->fixed) {
        m->new_start = wanted;
        if ((wanted & QUIRE_PAGE_MASK) || m->new_bytes > span ||
            wanted > config->high.value - m->new_bytes || wanted < config->low.value ||
            (wanted < m->old_start + m->old_bytes && m->old_start < wanted + m->new_bytes)) {
            return QUIRE_INVAL; /* also overlap of old and new */
        }
    }
    struct quire_region *region = quire_region_find(m->space, m->old_start);
    if (!region) {
        return QUIRE_FAULT;
    }
    if (!m->old_bytes && (!may_move || !(region->flags & QUIRE_MAP_SHARED))) {
        return QUIRE_INVAL; /* length 0 makes a second mapping of shared pages */
    }
    if (m->old_bytes > region->end - m->old_start) {
        return QUIRE_FAULT;
    }
    *out = region;
    return m->new_bytes > span ? QUIRE_NOROOM : QUIRE_OK;
}

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

static void forget_mapping(void *context, uint64_t index, void *value) {
    struct quire_anon *anon = value;
    if (anon->page) {
        quire_rmap_remove(anon->page, context, index << QUIRE_PAGE_SHIFT);
    }
}

/* The pages are at their new places: empty the old ones. Cannot fail. */
static void leave_old(const struct move *m, struct quire_spares *spares) {
    uint64_t moved = smaller(m->old_bytes, m->new_bytes);
    if (!m->old_bytes) {
        return;
    }
    quire_mach_pmap_remove(m->space->pmap, quire_va(m->old_start), quire_pages(moved));
    quire_radix_clear(&m->space->anons, quire_pages(m->old_start),
                      quire_pages(m->old_start + moved) - 1, forget_mapping, m->space);
    quire_change_unmap(m->space, m->old_start, m->old_start + m->old_bytes, spares);
}

/* To new_start. => validated; new_start is free unless fixed. A fixed target is gone even if there
 * is no memory then, as on Linux: called again, the rest follows. */
static enum quire_status move(const struct move *m, const struct quire_region *region) {
    struct quire_space *space = m->space;
    struct quire_region record = *region;
    struct quire_spares spares = {.count = 0};
    uint64_t new_end = m->new_start + m->new_bytes, old_end = m->old_start + m->old_bytes;
    unsigned cuts = m->fixed ? quire_region_cuts(space, m->new_start, new_end) : 0;
    cuts += m->old_bytes ? quire_region_cuts(space, m->old_start, old_end) : 0;
    enum quire_status status = quire_spares_take(space, &spares, cuts + 1);
    if (status != QUIRE_OK) {
        return status;
    }
    if (record.object) { /* before the old place can drop the last one */
        quire_object_ref(record.object);
        record.page_offset += quire_pages(m->old_start - record.start);
    }
    if (m->fixed) {
        quire_change_unmap(space, m->new_start, new_end, &spares);
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
    leave_old(m, &spares);
    record.start = m->new_start;
    record.end = new_end;
    record.flags &= ~(uint32_t)(QUIRE_MAP_STACK_TAG | QUIRE_MAP_HEAP_TAG);
    struct quire_region *put = quire_spares_pop(&spares);
    *put = record;
    quire_region_insert(space, put);
    quire_region_merge(space, put);
    quire_spares_return(space, &spares); /* one is left if old and new touch: one cut for both */
    quire_trace(&space->q->trace, QUIRE_EVENT_MAP, m->new_start, quire_pages(m->new_bytes));
    return QUIRE_OK;
}

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

enum quire_status quire_vm_remap(struct quire_space *space, quire_vaddr old_va, uint64_t old_bytes,
                                 uint64_t new_bytes, bool may_move, bool fixed,
                                 quire_vaddr *new_va) {
    struct move m = {.space = space,
                     .old_start = old_va.value,
                     .old_bytes = quire_round_up(old_bytes),
                     .new_bytes = quire_round_up(new_bytes),
                     .fixed = fixed};
    struct quire_region *region;
    enum quire_status status = validate(&m, may_move, new_va->value, &region);
    if (status != QUIRE_OK) {
        return status;
    }
    if (!fixed) {
        m.new_start = m.old_start;
        if (m.old_bytes >= m.new_bytes) {
            if (m.old_bytes > m.new_bytes) {
                status = quire_vm_unmap(space, quire_va(m.old_start + m.new_bytes),
                                        m.old_bytes - m.new_bytes);
            }
        } else if (!grow_in_place(&m, region)) {
            if (!may_move || !quire_region_search(space, m.new_bytes, 0, &m.new_start)) {
                return QUIRE_NOROOM;
            }
            status = move(&m, region);
        }
    } else {
        status = move(&m, region);
    }
    if (status == QUIRE_OK) {
        new_va->value = m.new_start;
    }
    return status;
}
