/* buddy.c: blocks of 2^order frames, split and merged.
 *
 * What it is: the binary buddy system (Knowlton 1965; Knuth, vol. 1, 2.5) over the frame table. A
 * free block is known by its head's struct quire_page: use FREE, flag HEAD, its order; no other
 * memory is needed. The buddy of a block is found by flipping one bit of its number:
 *
 *     order 3 |               0               |
 *     order 2 |       0       |       4       |      buddy of 4 in order 2: 4 ^ 4 = 0
 *     order 1 |   0   |   2   |   4   |   6   |      buddy of 6 in order 1: 6 ^ 2 = 4
 *     order 0 | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
 *
 * Bitmaps of pairs (as in the first Linux) were rejected: they save reading the buddy's struct, but
 * that line is needed anyway when the merge succeeds. One word says which orders have blocks, so
 * that a request that cannot be met fails after looking at that word, however full the lists.
 *
 * Most requests are for one frame and most were freed a moment ago. A small stack of such frames
 * stands before the buddy lists: no merge that the next request would split again. Frames on it
 * count as free; a request for a larger block that fails first sends them home to merge, so the
 * stack never hides a block.
 *
 * Invariants:
 *   I1  a free block's head is aligned to its size, FREE, HEAD, on free[order]; its other frames
 *       are not HEAD
 *   I2  two buddies of the same order are never both free blocks (they were merged), up to the
 *       highest order
 *   I3  bit k of nonempty is set exactly when free[k] has a block; nblocks[k] is how many
 *   I4  nfree counts the frames of all free blocks and of the hot stack
 *   I5  a frame on the hot stack is FREE and not HEAD: it merges with nothing
 *   I6  after an allocation nfree >= the reserve of its mode
 *
 * What may fail: allocation, with NULL and without a trace. O(orders), but for sending home the hot
 * stack, at most 64 frames, which is then empty. Called by page.c, kmem/. Audit: audit.c.
 */
#include "base/check.h"
#include "page/zone.h"

/* Freed frames are filled with this in audit builds: no valid pointer, and no small number. */
#define POISON 0xDB

static struct quire_page *page_of(struct quire *q, uint32_t frame) {
    return &q->phys->table[frame - q->phys->first];
}

static uint32_t frame_of(struct quire *q, const struct quire_page *page) {
    return q->phys->first + (uint32_t)(page - q->phys->table);
}

static void list_block(struct quire_zone *zone, struct quire_page *page, unsigned order) {
    page->use = QUIRE_USE_FREE;
    page->flags = QUIRE_PAGE_HEAD; /* I1 */
    page->order = (uint8_t)(order & 15);
    quire_list_add_after(&zone->free[order], &page->link);
    zone->nblocks[order]++;
    zone->nonempty |= 1u << order; /* I3 */
}

static void unlist_block(struct quire_zone *zone, struct quire_page *page, unsigned order) {
    quire_list_remove(&page->link);
    page->flags = 0;
    if (--zone->nblocks[order] == 0) {
        zone->nonempty &= ~(1u << order); /* I3 */
    }
}

/* A block off the lists: the smallest that is large enough, split down; NULL: there is none. */
static struct quire_page *take_block(struct quire_zone *zone, unsigned order) {
    uint32_t enough = zone->nonempty >> order;
    if (enough == 0) {
        return NULL;
    }
    unsigned have = order + (unsigned)__builtin_ctz(enough);
    struct quire_page *page = QUIRE_CONTAINER(zone->free[have].next, struct quire_page, link);
    unlist_block(zone, page, have);
    while (have > order) { /* keep the lower half, list the upper one */
        have--;
        list_block(zone, page + ((size_t)1 << have), have);
    }
    return page;
}

/* A block back to the lists, merged with its buddies as far as they are free (I2). */
static void give_block(struct quire *q, struct quire_zone *zone, struct quire_page *page,
                       unsigned order) {
    uint32_t frame = frame_of(q, page);
    while (order + 1 < QUIRE_NORDERS) {
        uint32_t buddy = frame ^ 1u << order;
        /* The table has no struct for what lies outside; for a hole it has a RESERVED one. */
        if (buddy < zone->first || buddy >= zone->end ||
            !quire_zone_is_free_head(page_of(q, buddy), order)) {
            break;
        }
        unlist_block(zone, page_of(q, buddy), order);
        frame &= ~(1u << order);
        order++;
    }
    list_block(zone, page_of(q, frame), order);
}

/* Send the n frames that lie on the hot stack longest home. */
static void cool(struct quire *q, struct quire_zone *zone, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        give_block(q, zone, zone->hot[i], 0);
    }
    zone->nhot -= n;
    __builtin_memmove(zone->hot, zone->hot + n, zone->nhot * sizeof zone->hot[0]);
}

/* Put up to a batch on the empty hot stack. False: there is not one free block. */
static bool warm(struct quire_zone *zone) {
    struct quire_page *batch[QUIRE_ZONE_HOT];
    unsigned n = 0;
    while (n < zone->hot_batch && (batch[n] = take_block(zone, 0)) != NULL) {
        batch[n]->order = 0; /* I5: it may be what is left of a larger block */
        n++;
    }
    while (n > 0) { /* so that they are handed out in the order in which they came */
        zone->hot[zone->nhot++] = batch[--n];
    }
    return zone->nhot > 0;
}

/* => order > 0 */
static struct quire_page *take_large(struct quire *q, struct quire_zone *zone, unsigned order) {
    struct quire_page *page = take_block(zone, order);
    if (!page && zone->nhot > 0) {
        cool(q, zone, zone->nhot);
        page = take_block(zone, order);
    }
    return page;
}

/* Page becomes the head of a block that is out. The struct is one cache line, written as one. */
static inline void hand_out(struct quire *q, struct quire_page *page, unsigned order,
                            enum quire_page_use use) {
    uint64_t nframes = (uint64_t)1 << order;
    q->phys->zone.nfree -= nframes;
    q->phys->counts[use] += nframes;
    q->counters.pgalloc += nframes;
    *page = (struct quire_page){
        .use = (uint8_t)(use & 15), .order = (uint8_t)(order & 15), .flags = QUIRE_PAGE_HEAD};
    quire_list_init(&page->link);
}

/* Out of line, as is free_slow: so that the fast paths save no registers. */
static __attribute__((noinline)) struct quire_page *
alloc_slow(struct quire *q, unsigned order, enum quire_page_use use, enum quire_alloc_mode mode) {
    struct quire_zone *zone = &q->phys->zone;
    struct quire_page *page;

    if (zone->nfree < ((uint64_t)1 << order) + zone->reserve[mode]) { /* I6 */
        return NULL;
    }
    if (order > 0) {
        page = take_large(q, zone, order);
    } else {
        page = zone->nhot > 0 || warm(zone) ? zone->hot[--zone->nhot] : NULL;
    }
    if (!page) {
        return NULL;
    }
    hand_out(q, page, order, use);
    if (order > 0) { /* single frames show in what is done with them; tracing each costs as much
                      * as allocating it */
        quire_trace(&q->trace, QUIRE_EVENT_ALLOC, frame_of(q, page), order);
    }
    return page;
}

struct quire_page *quire_zone_alloc(struct quire *q, unsigned order, enum quire_page_use use,
                                    enum quire_alloc_mode mode) {
    struct quire_zone *zone = &q->phys->zone;
    CHECK(q, order < QUIRE_NORDERS && use > QUIRE_USE_FREE);
    if (order == 0 && zone->nhot > 0 && zone->nfree > zone->reserve[mode]) { /* I6 */
        struct quire_page *page = zone->hot[--zone->nhot];
        hand_out(q, page, 0, use);
        return page;
    }
    return alloc_slow(q, order, use, mode);
}

static void poison(struct quire *q, struct quire_page *page, uint64_t nframes) {
    __builtin_memset(quire_page_window(q, page), POISON, (size_t)(nframes << QUIRE_PAGE_SHIFT));
}

/* => counted as free already */
static __attribute__((noinline)) void free_slow(struct quire *q, struct quire_page *page) {
    struct quire_zone *zone = &q->phys->zone;
    unsigned order = page->order;
    page->flags = 0;
    if (order > 0) {
        quire_trace(&q->trace, QUIRE_EVENT_FREE, frame_of(q, page), order);
        give_block(q, zone, page, order);
        return;
    }
    cool(q, zone, zone->hot_batch); /* the stack is full */
    page->use = QUIRE_USE_FREE;     /* I5 */
    zone->hot[zone->nhot++] = page;
}

void quire_page_free(struct quire *q, struct quire_page *page) {
    struct quire_zone *zone = &q->phys->zone;
    unsigned order = page->order;
    uint64_t nframes = (uint64_t)1 << order;

    CHECK(q, (page->flags & (QUIRE_PAGE_HEAD | QUIRE_PAGE_LRU)) == QUIRE_PAGE_HEAD);
    CHECK(q, page->use > QUIRE_USE_FREE); /* else freed twice, or never given */
    /* One by one: as one condition they become a load that is wider than the stores before it, and
     * waits for them (measured: 5 to 10 ns of a pair). */
    CHECK(q, page->nmaps == 0);
    CHECK(q, page->pins == 0);
    if (QUIRE_AUDITING) {
        poison(q, page, nframes);
    }
    q->phys->counts[page->use] -= nframes;
    q->counters.pgfree += nframes;
    zone->nfree += nframes;
    if (order == 0 && zone->nhot < zone->hot_max) {
        page->flags = 0;
        page->use = QUIRE_USE_FREE; /* I5 */
        page->order = 0;            /* as it is: so that the three are one store */
        zone->hot[zone->nhot++] = page;
        return;
    }
    free_slow(q, page);
}

void quire_zone_donate(struct quire *q, struct quire_zone *zone, quire_frame frame,
                       unsigned order) {
    zone->nfree += (uint64_t)1 << order; /* I4 */
    list_block(zone, page_of(q, frame.number), order);
}
