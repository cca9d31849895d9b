/* rmap.c: the reverse map: from a frame to all places that map it.
 *
 * Reclaim takes a frame and must find its page-table entries. Most frames are mapped once, so the
 * first mapping lies in the frame's own struct; a second one, in what fork or two programs share,
 * becomes a kernel object in a chain. (Linux finds them through the object or the anon_vma and a
 * tree of regions: no memory for a mapping, but a search for each, and a structure that few can
 * explain.)
 *
 *     page.rmap {space A, va} -> {space B, va} -> {space C, va'} -> NULL       nmaps = 3
 *
 * Invariants:
 *   I1  nmaps entries are in the chain; the inline one is empty exactly if nmaps is 0
 *   I2  an entry (space, va) says: the truth of space at va is this page, and the machine may have
 *       it mapped there. Where there is no entry the machine has no mapping of this page. (The
 *       machine may have forgotten a mapping that has an entry: law 1.)
 *   I3  one entry a place
 *   I4  space->resident and vm->mapped_file follow each entry
 *
 * What may fail: nothing; records are taken before (fault.c). Audited by audit.c.
 */
#include "vm/rmap.h"

#include "kmem/slab.h"
#include "vm/huge.h"
#include "vm/lock.h"

struct quire_rmap *quire_rmap_find(struct quire_page *page, const struct quire_space *space,
                                   uint64_t va) {
    if (!page->nmaps) {
        return NULL;
    }
    for (struct quire_rmap *entry = &page->rmap; entry; entry = entry->next) {
        if (entry->va.value == va && entry->space == space) {
            return entry;
        }
    }
    return NULL;
}

bool quire_rmap_needs_record(struct quire_page *page, const struct quire_space *space,
                             uint64_t va) {
    return page->nmaps && !quire_rmap_find(page, space, va);
}

/* I4 */
static inline void count_mapped(struct quire_page *page, struct quire_space *space) {
    enum quire_page_use use = page->use;
    if (page->nmaps++ == 0 && use == QUIRE_USE_FILE) {
        space->q->vm->mapped_file++;
    }
    ++*quire_space_resident(space, use);
    if (++space->resident_all > space->peak_resident) {
        space->peak_resident = space->resident_all;
    }
}

static inline void count_unmapped(struct quire_page *page, struct quire_space *space) {
    enum quire_page_use use = page->use;
    if (--page->nmaps == 0 && use == QUIRE_USE_FILE) {
        space->q->vm->mapped_file--;
    }
    --*quire_space_resident(space, use);
    space->resident_all--;
}

void quire_rmap_add(struct quire_page *page, struct quire_space *space, uint64_t va,
                    struct quire_rmap **record) {
    if (!page->nmaps) {
        page->rmap = (struct quire_rmap){space, quire_va(va), NULL};
    } else if (quire_rmap_find(page, space, va)) {
        return; /* I3: the machine had forgotten it, or it gains a permission */
    } else {
        CHECK(space->q, *record);
        **record = (struct quire_rmap){space, quire_va(va), page->rmap.next};
        page->rmap.next = *record;
        *record = NULL;
    }
    count_mapped(page, space);
}

void quire_rmap_remove(struct quire_page *page, struct quire_space *space, uint64_t va) {
    if (!page->nmaps) {
        return;
    }
    struct quire_rmap *previous = NULL, *entry = &page->rmap;
    while (entry && (entry->va.value != va || entry->space != space)) {
        previous = entry;
        entry = entry->next;
    }
    if (!entry) {
        return;
    }
    if (space->huges.count) {
        quire_huge_split(space, va, true);
    }
    count_unmapped(page, space);
    struct quire_rmap *gone = entry;
    if (previous) {
        previous->next = entry->next;
    } else if ((gone = entry->next) != NULL) {
        *entry = *gone; /* the second moves into the page */
    } else {
        page->rmap.space = NULL;
    }
    if (gone) {
        quire_cache_free(space->q->vm->rmap_cache, gone);
    }
    quire_lock_review(space->q, page);
}

void quire_rmap_move(struct quire_page *page, const struct quire_space *space, uint64_t from,
                     uint64_t to) {
    struct quire_rmap *entry = quire_rmap_find(page, space, from);
    if (entry) {
        entry->va = quire_va(to);
    }
}

void quire_rmap_unmap_all(struct quire *q, struct quire_page *page) {
    while (page->nmaps) {
        struct quire_space *space = page->rmap.space;
        uint64_t va = page->rmap.va.value;
        CHECK(q, space);          /* I1 */
        if (space->huges.count) { /* before the machine forgets the block with the page */
            quire_huge_split(space, va, true);
        }
        quire_mach_pmap_remove(space->pmap, quire_va(va), 1);
        quire_rmap_remove(page, space, va);
    }
}

void quire_rmap_write_protect(struct quire_page *page) {
    if (!page->nmaps) {
        return;
    }
    for (struct quire_rmap *entry = &page->rmap; entry; entry = entry->next) {
        if (entry->space->huges.count) { /* it is about to be clean */
            quire_huge_split(entry->space, entry->va.value, true);
        }
        quire_mach_pmap_protect(entry->space->pmap, entry->va, 1,
                                QUIRE_PROT_READ | QUIRE_PROT_EXEC);
    }
}

bool quire_rmap_harvest(struct quire_page *page) {
    bool used = false;
    if (!page->nmaps) {
        return false;
    }
    for (struct quire_rmap *entry = &page->rmap; entry; entry = entry->next) {
        used |= quire_huge_harvest(entry->space, entry->va.value);
    }
    return used;
}

void quire_rmap_audit(struct quire *q, struct quire_page *page) {
    uint32_t entries = 0;
    if (page->nmaps) {
        for (struct quire_rmap *entry = &page->rmap; entry; entry = entry->next) {
            CHECK(q, entry->space && entry->space->q == q);
            CHECK(q, quire_rmap_find(page, entry->space, entry->va.value) == entry); /* I3 */
            entries++;
        }
    } else {
        CHECK(q, !page->rmap.space);
    }
    CHECK(q, entries == page->nmaps); /* I1 */
    bool locked = page->flags & QUIRE_PAGE_LOCKED;
    CHECK(q, locked == quire_lock_holds(page));           /* lock.c I1 */
    CHECK(q, !locked || !(page->flags & QUIRE_PAGE_LRU)); /* lock.c I2 */
}
