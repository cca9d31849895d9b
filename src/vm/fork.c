/* fork.c: a copy of a space with copy-on-write.
 *
 *     parent  anons:  [A] [B]  .  [C]         child  anons:  [A] [B]  .  [C]
 *                      |   |       |                          |   |       |
 *                      +---+-------+---- the same anons, refs = 2 --------+
 *     parent  pmap: kept, write permission taken      child  pmap: empty, filled by faults
 *
 * Only the sparse array is copied: one pointer and one count a page. The page tables are not: they
 * are a cache, and a child that calls exec at once never needs them. (Linux copies them, 30 ns a
 * page here, and defers only those of files.)
 *
 * Invariants:
 *   I1  when it returns QUIRE_OK no private page with refs > 1 is writable in any pmap
 *   I2  when it returns anything else, nothing of the parent has changed
 *
 * What may fail: every allocation; the half-made child is destroyed like any space, which takes its
 * references back. Called by core/calls.c.
 */
#include "vm/anon.h"
#include "vm/commit.h"
#include "vm/object.h"
#include "vm/space.h"

/* Another place refers to each of these pages. */
static void share(void *const *anons, uint64_t present) {
    for (; present != 0; present >>= 1, anons++) {
        if (present & 1) {
            ((struct quire_anon *)*anons)->refs++;
        }
    }
}

static enum quire_status copy_region(struct quire_space *parent, struct quire_space *child,
                                     const struct quire_region *region) {
    struct quire_spares spares = {.count = 0};
    enum quire_status status = QUIRE_OK;
    if (quire_region_commits(region->prot, region->flags)) { /* it is promised twice now */
        status = quire_commit_check(child->q, quire_pages(region->end - region->start),
                                    parent->virtual_pages);
    }
    if (status == QUIRE_OK) {
        status = quire_spares_take(child, &spares, 1, 0);
    }
    if (status != QUIRE_OK) {
        return status;
    }
    struct quire_region *copy = quire_spares_pop(&spares);
    *copy = *region;
    copy->space = child;
    copy->entered = false;
    copy->flags &= ~(uint32_t)QUIRE_REGION_LOCKS; /* as Linux: locks are not inherited */
    if (copy->object) {
        quire_object_ref(copy->object);
    }
    quire_region_insert(child, copy);
    quire_region_merge(child, copy); /* what locks kept apart */
    if (region->flags & (QUIRE_MAP_SHARED | QUIRE_REGION_WIPEONFORK)) {
        return QUIRE_OK;
    }
    status = quire_radix_copy(&child->anons, &parent->anons, quire_pages(region->start),
                              quire_pages(region->end) - 1, share);
    child->inherited = child->anons.count; /* it has made none yet */
    return status;
}

/* I1. Clean or dirty, all lose it: the next write of either side faults. */
static void write_protect(struct quire_space *space) {
    const struct quire_region *region = quire_region_above(space, 0);
    for (; region; region = quire_region_next(region)) {
        if ((region->prot & QUIRE_PROT_WRITE) && region->entered &&
            !(region->flags & (QUIRE_MAP_SHARED | QUIRE_REGION_DONTFORK))) {
            quire_mach_pmap_protect(space->pmap, quire_va(region->start),
                                    quire_pages(region->end - region->start),
                                    QUIRE_PROT_READ | QUIRE_PROT_EXEC);
        }
    }
}

enum quire_status quire_vm_space_fork(struct quire_space *parent, void *owner,
                                      struct quire_space **out) {
    struct quire *q = parent->q;
    struct quire_space_config config = parent->config;
    struct quire_space *child;
    config.owner = owner;
    enum quire_status status = quire_vm_space_create(q, &config, &child);
    if (status != QUIRE_OK) {
        return status;
    }
    child->brk_start = parent->brk_start;
    child->brk_end = parent->brk_end;
    child->oom_score_adj = parent->oom_score_adj;
    __builtin_memcpy(child->limit_pages, parent->limit_pages, sizeof child->limit_pages);
    const struct quire_region *region = quire_region_above(parent, 0);
    for (; region && status == QUIRE_OK; region = quire_region_next(region)) {
        if (!(region->flags & QUIRE_REGION_DONTFORK)) {
            status = copy_region(parent, child, region);
        }
    }
    if (status != QUIRE_OK) {
        quire_space_destroy(child); /* I2 */
        return status;
    }
    write_protect(parent);
    quire_trace(&q->trace, QUIRE_EVENT_FORK, child->nregions, child->anons.count);
    *out = child;
    return QUIRE_OK;
}
