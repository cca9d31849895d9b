/* lock.c: memory that stays in RAM: mlock, munlock, mlockall, SHM_LOCK, and which pages that
 * concerns.
 *
 * Regions are locked, pages are kept: a page is kept while any locked region maps it. It leaves the
 * LRU lists for that time, so that reclaim never meets it (Linux: the unevictable list). A locked
 * shared memory object keeps its pages too, mapped or not, from when they are in RAM: locking
 * brings nothing in (shmctl(2)). Its anons say so, as a page knows its anon and not its object.
 *
 *     region A (locked) --maps--> page: LOCKED, on no list
 *     region B          --maps--'   '-- B's unmap: nothing; A's unmap or unlock: back on a list
 *
 * There is no count of locked mappings in the page. When one goes, the others are looked at: a
 * locked page has few mappings, and the usual ones pay nothing. (Linux counts since 5.18, in a
 * field that is free while a page is on no list.)
 *
 * Invariants:
 *   I1  QUIRE_PAGE_LOCKED exactly if a region with QUIRE_MAP_LOCKED has an rmap entry for the page,
 *       or its anon is kept
 *   I2  such a page is on no LRU list; vm->mlocked counts them
 *   I3  space->locked is the sum of its locked regions, in pages (VmLck)
 *
 * Bringing the pages in is core/calls.c's: it may need reclaim. What may fail: taking records.
 * Called by core/calls.c, fault.c, rmap.c, shm.c, anon.c; audited by audit.c.
 */
#include "vm/lock.h"

#include "page/lru.h"
#include "vm/change.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

/* ---- pages --------------------------------------------------------------------------------- */

void quire_lock_page(struct quire *q, struct quire_page *page) {
    if (page->flags & QUIRE_PAGE_LOCKED) {
        return;
    }
    if (page->flags & QUIRE_PAGE_LRU) {
        quire_lru_remove(q, page);
    }
    page->flags |= QUIRE_PAGE_LOCKED;
    q->vm->mlocked++;
    q->counters.unevictable_pgs_mlocked++;
}

void quire_lock_or_list(struct quire *q, const struct quire_anon *anon, uint32_t shadow) {
    if (anon->kept) {
        quire_lock_page(q, anon->page);
    } else {
        quire_lru_add(q, anon->page, shadow);
    }
}

static bool is_kept(const struct quire_page *page) {
    const struct quire_anon *anon = page->owner;
    return page->use == QUIRE_USE_SHMEM && anon->kept;
}

bool quire_lock_holds(const struct quire_page *page) {
    if (is_kept(page)) {
        return true;
    }
    const struct quire_rmap *entry = page->nmaps ? &page->rmap : NULL;
    for (; entry; entry = entry->next) {
        const struct quire_region *region = quire_region_above(entry->space, entry->va.value);
        if (region && region->start <= entry->va.value && (region->flags & QUIRE_MAP_LOCKED)) {
            return true;
        }
    }
    return false;
}

void quire_lock_review(struct quire *q, struct quire_page *page) {
    if (!(page->flags & QUIRE_PAGE_LOCKED) || quire_lock_holds(page)) {
        return;
    }
    page->flags &= (uint8_t)~QUIRE_PAGE_LOCKED;
    q->vm->mlocked--;
    q->counters.unevictable_pgs_munlocked++;
    quire_lru_add(q, page, 0);
}

/* ---- regions ------------------------------------------------------------------------------- */

/* One page that the region may map: I1 after the region's flags changed. */
static void mend_page(struct quire_space *space, const struct quire_region *region,
                      struct quire_page *page, uint64_t va) {
    if (!quire_rmap_find(page, space, va)) {
        return;
    }
    if (region->flags & QUIRE_MAP_LOCKED) {
        quire_lock_page(space->q, page);
    } else {
        quire_lock_review(space->q, page);
    }
}

static void mend_pages(struct quire_space *space, const struct quire_region *region) {
    uint64_t first = quire_pages(region->start), end = quire_pages(region->end), index = first;
    struct quire_anon *anon;
    if (!(region->flags & QUIRE_MAP_SHARED)) {
        for (; (anon = quire_radix_next(&space->anons, &index)) && index < end; index++) {
            if (anon->page) {
                mend_page(space, region, anon->page, index << QUIRE_PAGE_SHIFT);
            }
        }
    }
    if (!region->object) {
        return;
    }
    index = region->page_offset;
    for (; quire_radix_next(&region->object->pages, &index); index++) {
        uint64_t vpn = first + (index - region->page_offset);
        if (vpn >= end) {
            return;
        }
        struct quire_page *page = quire_object_page(region->object, index);
        if (page) {
            mend_page(space, region, page, vpn << QUIRE_PAGE_SHIFT);
        }
    }
}

struct quire_region *quire_lock_region(struct quire_space *space, struct quire_region *region,
                                       unsigned locks) {
    unsigned was = region->flags & QUIRE_REGION_LOCKS;
    quire_space_account(space, region, -1);
    region->flags = (region->flags & ~(uint32_t)QUIRE_REGION_LOCKS) | locks;
    quire_space_account(space, region, 1);
    if ((was ^ locks) & QUIRE_MAP_LOCKED) {
        mend_pages(space, region);
    }
    return quire_region_merge(space, region);
}

enum quire_status quire_vm_lock(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                                unsigned locks) {
    uint64_t start = va.value, end, stop;
    if (!quire_change_range(space, start, length_bytes, &end)) {
        return QUIRE_UNMAPPED;
    }
    stop = quire_region_reach(space, start, end);
    enum quire_status result = stop < end ? QUIRE_UNMAPPED : QUIRE_OK;
    if (stop == start) {
        return result;
    }
    enum quire_status status = quire_change_each(space, start, stop, quire_lock_region, locks);
    return status == QUIRE_OK ? result : status;
}

void quire_vm_lock_all(struct quire_space *space, unsigned flags) {
    unsigned locks = QUIRE_MAP_LOCKED;
    if (flags & QUIRE_LOCK_ALL_ON_FAULT) {
        locks |= QUIRE_MAP_LOCK_ON_FAULT;
    }
    space->lock_future = flags & QUIRE_LOCK_ALL_FUTURE ? locks : 0;
    bool unlock = !(flags & (QUIRE_LOCK_ALL_CURRENT | QUIRE_LOCK_ALL_FUTURE));
    if (!(flags & QUIRE_LOCK_ALL_CURRENT) && !unlock) {
        return;
    }
    struct quire_region *region = quire_region_above(space, 0);
    for (; region; region = quire_region_next(region)) {
        region = quire_lock_region(space, region, unlock ? 0 : locks);
    }
}

bool quire_space_locks_future(const struct quire_space *space) {
    return space->lock_future != 0;
}

bool quire_vm_has_locks(const struct quire_space *space) {
    return space->locked != 0;
}
