/* anon.c: one page of anonymous memory: what it refers to, and its life.
 *
 * An anon is the truth of a page that has no file behind it. Places (spaces' sparse arrays, shm
 * objects) refer to it and are counted; frames and swap slots come and go below it.
 *
 *                      write                        reclaim: detach
 *     dirty, no slot <-------- clean, page + slot ----------------> slot only
 *        |   ^                    ^        ^                            |
 *        |   born here            |        +----------- swap in --------+
 *        +------ reclaim: clean --+
 *
 * Invariants:
 *   I1  a page, or a slot, or both; both means that they are equal (the swap cache), and that the
 *       slot is a device's, not the store's
 *   I2  exactly one of: the page has QUIRE_PAGE_DIRTY, it has QUIRE_PAGE_LAZYFREE, there is a slot
 *   I3  page->owner is the anon, page->use ANON (a space's) or SHMEM (an object's)
 *   I4  ids are never used twice, so that another page's copy on swap can't pass for this one's
 *   I5  vm->nanons and vm->swapped (no page) count them
 *   I6  home is NULL or a space that has a place for it. space->swapped counts those at home there
 *       that have no page, space->inherited the places for others: what fork gave and nobody
 *       wrote since. So what a space has on swap is known at once where nothing is inherited, as
 *       in every program after exec. (For the rest nothing leads from an anon to its places: a
 *       reverse map of all places would cost 24 bytes for each page of each child)
 *
 * Why the slot is kept after swap in: a page that is only read need not be written out again
 * (counter swap_clean); unless more than half of swap is taken, when slots are worth more than
 * writes (Linux: vm_swap_full). Why it goes at the first write: a stale copy is of use to nobody,
 * and its slot is to others. What may fail: as the header says. Audited by audit.c.
 */
#include "vm/anon.h"

#include "base/stall.h"
#include "kmem/slab.h"
#include "page/lru.h"
#include "vm/lock.h"
#include "vm/space.h"

struct quire_anon *quire_anon_create(struct quire *q, struct quire_page *page,
                                     struct quire_space *home) {
    struct quire_vm *vm = q->vm;
    struct quire_anon *anon = quire_cache_alloc(vm->anon_cache);
    if (!anon) {
        return NULL;
    }
    *anon = (struct quire_anon){.page = page,
                                .id = ++vm->next_id,
                                .slot = QUIRE_SLOT_NONE,
                                .refs = 1,
                                .home = home}; /* I4 */
    page->owner = anon;
    page->flags |= QUIRE_PAGE_DIRTY;
    vm->nanons++;
    return anon;
}

/* ---- where it is at home: I6 --------------------------------------------------------------- */

void quire_anon_leave(struct quire_space *space, struct quire_anon *anon) {
    if (anon->home == space) {
        space->swapped -= anon->page == NULL;
        anon->home = NULL;
    } else {
        space->inherited--;
    }
}

void quire_anon_settle(struct quire_space *space, struct quire_anon *anon) {
    if (!anon->home) {
        anon->home = space;
        space->inherited--;
    }
}

void quire_anon_count_swapped(struct quire *q, const struct quire_anon *anon, int delta) {
    uint64_t change = delta > 0 ? 1 : UINT64_MAX;
    q->vm->swapped += change;
    if (anon->home) {
        anon->home->swapped += change;
    }
}

/* ---- its life ------------------------------------------------------------------------------ */

void quire_anon_not_lazy(struct quire *q, struct quire_page *page) {
    if (page->flags & QUIRE_PAGE_LAZYFREE) {
        page->flags &= (uint8_t)~QUIRE_PAGE_LAZYFREE;
        q->vm->lazyfree--;
    }
}

void quire_anon_free_page(struct quire *q, struct quire_page *page) {
    if (page->flags & QUIRE_PAGE_LRU) {
        quire_lru_remove(q, page);
    }
    quire_anon_not_lazy(q, page);
    page->flags &= (uint8_t)~QUIRE_PAGE_DIRTY;
    quire_page_free(q, page);
}

void quire_anon_put(struct quire *q, struct quire_anon *anon) {
    CHECK(q, anon->refs);
    if (--anon->refs) {
        return;
    }
    if (!quire_slot_is_none(anon->slot)) {
        quire_swap_release(q, anon);
    }
    if (anon->page) {
        quire_anon_free_page(q, anon->page);
    } else {
        quire_anon_count_swapped(q, anon, -1);
    }
    quire_anon_forget(q, anon);
}

void quire_anon_forget(struct quire *q, struct quire_anon *anon) {
    q->vm->nanons--;
    quire_cache_free(q->vm->anon_cache, anon);
}

void quire_anon_dirty(struct quire *q, struct quire_anon *anon) {
    if (!quire_slot_is_none(anon->slot)) {
        quire_swap_release(q, anon);
    }
    quire_anon_not_lazy(q, anon->page);
    anon->page->flags |= QUIRE_PAGE_DIRTY; /* I2 */
}

enum quire_status quire_anon_swap_in(struct quire *q, struct quire_anon *anon,
                                     enum quire_page_use use) {
    CHECK(q, !anon->page && !quire_slot_is_none(anon->slot)); /* I1 */
    struct quire_page *page = quire_page_alloc(q, 0, use, QUIRE_ALLOC_USER);
    if (!page) {
        return QUIRE_NOMEM;
    }
    uint64_t began = quire_stall_begin(q);
    enum quire_status status = quire_swap_in(q, anon, page);
    quire_stall_end(q, began);
    if (status != QUIRE_OK) {
        quire_page_free(q, page);
        return QUIRE_BUS;
    }
    page->owner = anon; /* clean: I2 */
    anon->page = page;
    quire_anon_count_swapped(q, anon, -1);
    quire_lock_or_list(q, anon, anon->shadow);
    anon->shadow = 0;
    if (quire_swap_is_stored(anon->slot) || quire_swap_is_full(q)) {
        quire_anon_dirty(q, anon); /* a copy in RAM of what is in RAM is worth nothing */
    }
    return QUIRE_OK;
}
