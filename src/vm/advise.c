/* advise.c: madvise: what a program says of its memory, as far as that needs no waiting.
 *
 * Three kinds: advice that drops contents (DONTNEED now, FREE when memory is short, REMOVE for all
 * who share them), advice that is kept with the region (fork, huge pages), and advice about age
 * (COLD). Reading ahead, writing
 * out and populating may wait for memory, and are core/calls.c's.
 *
 * A page that FREE was said of:
 *
 *     dirty --FREE--> LAZYFREE: clean, no copy, write-protected --write fault--> dirty again
 *                         '-- reclaim: dropped, the next access finds zeros
 *
 * Only the space's own pages that it maps become so; what is on swap is dropped at once, what fork
 * shares is left alone (as Linux does: madvise_free_single_vma). If fork shares such a page later,
 * reclaim writes it to swap like any other (evict.c): the other sharer never agreed.
 *
 * Invariants:
 *   I1  LAZYFREE excludes DIRTY, and its anon has no slot; vm->lazyfree counts them
 *   I2  no mapping of such a page is writable
 *
 * What may fail: taking records. Called by core/calls.c; audited by audit.c.
 */
#include "kmem/slab.h"
#include "page/lru.h"
#include "vm/anon.h"
#include "vm/change.h"
#include "vm/huge.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

/* ---- age ----------------------------------------------------------------------------------- */

/* What is here and is not used again goes next. Pages that others map too are left alone. */
static void cool_page(struct quire *q, struct quire_page *page) {
    if (page && (page->flags & QUIRE_PAGE_LRU) && page->nmaps <= 1) {
        quire_lru_cool(q, page);
    }
}

static void cool(struct quire_space *space, const struct quire_region *region, uint64_t start,
                 uint64_t end) {
    uint64_t index = quire_pages(start), last = quire_pages(end);
    struct quire_anon *anon;
    if (!(region->flags & QUIRE_MAP_SHARED)) {
        for (; (anon = quire_radix_next(&space->anons, &index)) && index < last; index++) {
            cool_page(space->q, anon->page);
        }
    }
    if (!region->object) {
        return;
    }
    index = region->page_offset + quire_pages(start - region->start);
    last = index + quire_pages(end - start);
    for (; quire_radix_next(&region->object->pages, &index) && index < last; index++) {
        cool_page(space->q, quire_object_page(region->object, index));
    }
}

/* ---- free ---------------------------------------------------------------------------------- */

/* I1, I2. => the space's own page, mapped by it, already write-protected; not locked, so on a list
 */
static void make_lazy(struct quire *q, struct quire_anon *anon) {
    struct quire_page *page = anon->page;
    if (page->flags & QUIRE_PAGE_LAZYFREE) {
        return;
    }
    quire_anon_dirty(q, anon); /* gives up the copy on swap */
    page->flags &= (uint8_t) ~(QUIRE_PAGE_DIRTY | QUIRE_PAGE_REFERENCED);
    page->flags |= QUIRE_PAGE_LAZYFREE;
    q->vm->lazyfree++;
    q->counters.pglazyfree++;
    quire_lru_cool(q, page);
}

static void free_lazily(struct quire_space *space, struct quire_region *region, uint64_t start,
                        uint64_t end) {
    uint64_t index = quire_pages(start);
    struct quire_anon *anon;
    quire_huge_leave(space, start, end);
    quire_mach_pmap_protect(space->pmap, quire_va(start), quire_pages(end - start),
                            QUIRE_PROT_READ | QUIRE_PROT_EXEC); /* I2 */
    for (; (anon = quire_radix_next(&space->anons, &index)) && index < quire_pages(end); index++) {
        uint64_t va = index << QUIRE_PAGE_SHIFT;
        if (!anon->page) {
            quire_change_drop(space, region, va, va + QUIRE_PAGE_SIZE);
        } else if (anon->refs == 1 && quire_rmap_find(anon->page, space, va)) {
            make_lazy(space->q, anon);
        }
    }
}

/* ---- the call ------------------------------------------------------------------------------ */

/* Which flags of the region an advice sets and clears. False: it leaves the record alone. */
static bool record_change(enum quire_advice advice, uint32_t *set, uint32_t *clear) {
    *set = *clear = 0;
    switch (advice) {
    case QUIRE_ADVISE_DONTFORK:
        *set = QUIRE_REGION_DONTFORK;
        return true;
    case QUIRE_ADVISE_DOFORK:
        *clear = QUIRE_REGION_DONTFORK;
        return true;
    case QUIRE_ADVISE_WIPEONFORK:
        *set = QUIRE_REGION_WIPEONFORK;
        return true;
    case QUIRE_ADVISE_KEEPONFORK:
        *clear = QUIRE_REGION_WIPEONFORK;
        return true;
    case QUIRE_ADVISE_HUGEPAGE:
        *set = QUIRE_REGION_HUGEPAGE;
        *clear = QUIRE_REGION_NOHUGEPAGE;
        return true;
    case QUIRE_ADVISE_NOHUGEPAGE:
        *set = QUIRE_REGION_NOHUGEPAGE;
        *clear = QUIRE_REGION_HUGEPAGE;
        return true;
    default:
        return false;
    }
}

/* May the object's pages behind region be removed? In Linux's order (madvise_remove). */
static enum quire_status may_remove(const struct quire_region *region) {
    const struct quire_object *object = region->object;
    if ((region->flags & QUIRE_MAP_LOCKED) || !object) {
        return QUIRE_INVAL;
    }
    bool writable = (region->flags & QUIRE_MAP_SHARED) && !(region->flags & QUIRE_MAP_DENY_WRITE);
    return writable && (object->shm || object->pager.write) ? QUIRE_OK : QUIRE_DENIED;
}

/* May this be said of region? What stands before it in the range has been done by then. */
static enum quire_status allowed(const struct quire_region *region, enum quire_advice advice) {
    bool nameless = !region->object, locked = region->flags & QUIRE_MAP_LOCKED;
    switch (advice) {
    case QUIRE_ADVISE_FREE:
        return nameless && !locked ? QUIRE_OK : QUIRE_INVAL;
    case QUIRE_ADVISE_WIPEONFORK:
        return nameless ? QUIRE_OK : QUIRE_INVAL;
    case QUIRE_ADVISE_DONTNEED:
    case QUIRE_ADVISE_COLD:
        return locked ? QUIRE_INVAL : QUIRE_OK;
    case QUIRE_ADVISE_REMOVE:
        return may_remove(region);
    default:
        return QUIRE_OK;
    }
}

/* => [start, end) lies in region. What is not allowed changes nothing. */
static enum quire_status advise_region(struct quire_space *space, struct quire_region *region,
                                       uint64_t start, uint64_t end, enum quire_advice advice) {
    uint32_t set, clear;
    uint64_t index = region->page_offset + quire_pages(start - region->start);
    enum quire_status status = allowed(region, advice);
    if (status != QUIRE_OK) {
        return status;
    }
    if (record_change(advice, &set, &clear)) {
        region->flags = (region->flags & ~clear) | set;
        return QUIRE_OK;
    }
    switch (advice) {
    case QUIRE_ADVISE_REMOVE:
        return quire_object_punch(region->object, index, index + quire_pages(end - start));
    case QUIRE_ADVISE_DONTNEED:
        quire_change_drop(space, region, start, end);
        break;
    case QUIRE_ADVISE_FREE:
        free_lazily(space, region, start, end);
        break;
    case QUIRE_ADVISE_COLD:
        cool(space, region, start, end);
        break;
    default:
        break;
    }
    return QUIRE_OK;
}

static enum quire_status cut_for(struct quire_space *space, uint64_t start, uint64_t end) {
    struct quire_spares spares = {.count = 0};
    unsigned cuts = quire_region_cuts(space, start, end);
    enum quire_status status = quire_spares_take(space, &spares, cuts, cuts);
    if (status == QUIRE_OK) {
        quire_region_cut(space, start, end, &spares);
    }
    return status;
}

enum quire_status quire_vm_advise(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                                  enum quire_advice advice) {
    uint64_t start = va.value, end;
    uint32_t set, clear;
    if ((unsigned)advice > QUIRE_ADVISE_REMOVE ||
        !quire_change_range(space, start, length_bytes, &end)) {
        return QUIRE_INVAL;
    }
    if (start == end) {
        return QUIRE_OK;
    }
    bool full = quire_region_reach(space, start, end) == end;
    bool kept = record_change(advice, &set, &clear);
    if (kept) {
        enum quire_status status = cut_for(space, start, end);
        if (status != QUIRE_OK) {
            return status;
        }
    }
    enum quire_status refusal = QUIRE_OK;
    struct quire_region *region = quire_region_above(space, start);
    while (region && region->start < end) {
        uint64_t first = region->start > start ? region->start : start;
        uint64_t last = region->end < end ? region->end : end;
        if (refusal == QUIRE_OK) {
            refusal = advise_region(space, region, first, last, advice);
        }
        if (kept) { /* it may have been cut for the range */
            region = quire_region_merge(space, region);
        }
        region = quire_region_next(region);
    }
    if (refusal != QUIRE_OK) {
        return refusal;
    }
    return full ? QUIRE_OK : QUIRE_UNMAPPED;
}
