/* zone.h: the state of page/: the RAM as ranges, zones of free blocks, counts. Internal to page/,
 * but for quire_zone_alloc, which kmem/ may use.
 */
#ifndef QUIRE_PAGE_ZONE_H
#define QUIRE_PAGE_ZONE_H

#include "page/lru.h"
#include "page/page.h"

/* The hot list holds at most this many order-0 frames. 64, an array of 512 bytes, is Linux's batch
 * for its lists of each processor (63); each frame on it keeps its buddy from merging. */
#define QUIRE_ZONE_HOT 64

/* A stretch of frames that are allocated from together. One so far; DMA and the like are others. */
struct quire_zone {
    const char *name;
    uint32_t first, end; /* frames; holes between RAM ranges included */

    uint64_t nfree;                        /* frames, in blocks and hot */
    uint64_t reserve[3];                   /* frames that must stay free, by quire_alloc_mode */
    uint64_t watermark[QUIRE_NWMARKS];     /* frames */
    uint32_t nonempty;                     /* bit k: free[k] has a block */
    struct quire_list free[QUIRE_NORDERS]; /* heads of free blocks, the last freed first */
    uint64_t nblocks[QUIRE_NORDERS];

    unsigned nhot, hot_max, hot_batch;
    struct quire_page *hot[QUIRE_ZONE_HOT]; /* a stack: [nhot - 1] was freed last */
};

struct quire_phys {
    struct quire_page *table; /* of frames first to end - 1 */
    uint32_t first, end;
    struct quire_zone zone;
    uint64_t counts[QUIRE_NUSES]; /* frames of RAM by use; FREE is zone.nfree */
    uint64_t total;
    struct quire_list lru[QUIRE_NLRUS];
    uint64_t nlru[QUIRE_NLRUS];
    unsigned nranges;
    struct {
        uint32_t first, end; /* frames */
        char *window;        /* of the first; the others follow it */
    } ranges[QUIRE_MEMBLOCK_RANGES];
};

/* quire_page_alloc without the test switch: for kmem/, whose allocations ask it themselves. */
struct quire_page *quire_zone_alloc(struct quire *q, unsigned order, enum quire_page_use use,
                                    enum quire_alloc_mode mode);

/* Take a whole new block into the free lists, frame aligned to its order. Boot only. */
void quire_zone_donate(struct quire *q, struct quire_zone *zone, quire_frame frame, unsigned order);

/* Is this frame of RAM the head of a free block of that order? */
static inline bool quire_zone_is_free_head(const struct quire_page *page, unsigned order) {
    return page->use == QUIRE_USE_FREE && (page->flags & QUIRE_PAGE_HEAD) && page->order == order;
}

#endif
