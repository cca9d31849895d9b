/* evict.c: how one page leaves memory: cleaned, unmapped everywhere, its frame free.
 *
 * Owns the order of these steps, and no state. That a page should leave was decided elsewhere
 * (scan.c by age, core/ for MADV_PAGEOUT).
 *
 *     dirty ──quire_vm_clean──▶ clean ──quire_vm_detach──▶ owned by us ──quire_page_free──▶ free
 *       │ no slot, or the device failed
 *       └──▶ stays as it was, on its list
 *
 * I1. A page is freed only when it was clean after all write permission was taken away: whatever a
 *     program stored is on swap or in its file by then.
 * I2. On failure nothing has changed but write permission, which a fault gives back.
 *
 * May fail: no slot, I/O. Called by scan.c and core/. Traced as EVICT; a page that needed no write
 * because its copy on swap was still good is counted in swap_clean.
 */
#include "base/check.h"
#include "page/lru.h"
#include "reclaim/scan.h"

enum evict_result quire_evict(struct quire *q, struct quire_page *page) {
    bool swapped = page_is_swapped(page);
    if (page->flags & (QUIRE_PAGE_DIRTY | QUIRE_PAGE_LAZYFREE)) {
        enum quire_status status = quire_vm_clean(q, page);
        if (status == QUIRE_NOMEM) {
            return EVICT_NO_SLOT;
        }
        if (status != QUIRE_OK) {
            return EVICT_BUSY;
        }
    } else if (swapped) {
        q->counters.swap_clean++;
    }
    CHECK(q, !(page->flags & QUIRE_PAGE_DIRTY)); /* I1 */
    uint64_t where = page->index;
    if (swapped) {
        where = ((const struct quire_anon *)page->owner)->slot.value;
    }
    quire_trace(&q->trace, QUIRE_EVENT_EVICT, quire_page_frame(q, page).number, where);
    quire_vm_leave_shadow(q, page, quire_lru_evict(q, page));
    quire_vm_detach(q, page);
    quire_page_free(q, page);
    return EVICT_FREED;
}

bool quire_evict_anon_possible(const struct quire *q) {
    if (quire_swap_has_room(q) || quire_vm_lazyfree(q) > 0) {
        return true;
    }
    /* Swap is full, or there is none. What can still go are pages in RAM whose copy on swap is
     * good: slots taken, less those that hold the only copy. */
    uint64_t taken = 0;
    struct quire_swap_info info;
    for (unsigned i = 0; quire_swap_area(q, i, &info); i++) {
        taken += info.used;
    }
    return taken + quire_swap_stored(q) > quire_vm_swapped(q);
}

bool quire_reclaim_page(struct quire *q, struct quire_page *page) {
    if (!(page->flags & QUIRE_PAGE_LRU) || !quire_vm_reclaimable(q, page)) {
        return false;
    }
    return quire_evict(q, page) == EVICT_FREED;
}
