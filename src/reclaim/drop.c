/* drop.c: /proc/sys/vm/drop_caches: give back what can be had again, because somebody wants so.
 *
 *     1  file pages that nobody maps, clean, unpinned    2  kernel objects that can be had again,
 *                                                           and empty slabs    3  both
 *
 * As Linux: dirty pages stay (sync first), and so do mapped ones. The pages are no misjudgement of
 * the policy, so they leave no shadow.
 *
 * Never fails, writes nothing. Public call; counted in drop_pagecache and drop_slab.
 */
#include "kmem/slab.h"
#include "page/lru.h"
#include "reclaim/scan.h"

enum { DROP_PAGES = 1, DROP_SLABS = 2 };

static bool is_droppable(struct quire *q, struct quire_page *page) {
    return page->nmaps == 0 && !(page->flags & QUIRE_PAGE_DIRTY) && quire_vm_reclaimable(q, page);
}

static void drop_pages(struct quire *q) {
    struct quire_aging *files = quire_lru_aging(q, QUIRE_LRU_FILE);
    for (unsigned queue = 0; queue < QUIRE_POLICY_QUEUES; queue++) {
        struct quire_page *page = quire_aging_oldest(files, queue), *newer;
        for (; page; page = newer) {
            newer = quire_aging_newer(files, page);
            if (is_droppable(q, page)) {
                quire_trace(&q->trace, QUIRE_EVENT_EVICT, quire_page_frame(q, page).number,
                            page->index);
                quire_lru_remove(q, page);
                quire_vm_detach(q, page);
                quire_page_free(q, page);
            }
        }
    }
}

enum quire_status quire_drop_caches(struct quire *q, unsigned what) {
    if (what == 0 || what > (DROP_PAGES | DROP_SLABS)) {
        return QUIRE_INVAL;
    }
    if (what & DROP_PAGES) {
        q->counters.drop_pagecache++;
        drop_pages(q);
    }
    if (what & DROP_SLABS) {
        q->counters.drop_slab++;
        (void)quire_kmem_reclaim(q, UINT64_MAX);
    }
    return QUIRE_OK;
}
