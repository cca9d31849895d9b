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
 * that line is needed anyway when the merge succeeds. One word for each migrate type says which
 * orders have blocks, so that a request that cannot be met fails after looking at three words,
 * however full the lists.
 *
 * This file knows frames and lists only. Who may have a block is zone.c's question, what stands
 * before the lists is pcp.c's, and what one type takes from another mobility.c's.
 *
 * Invariants:
 *   I1  a free block's head is aligned to its size, FREE, HEAD, on the list of its order and of the
 *       type of the page block that the head lies in; its other frames are not HEAD
 *   I2  two buddies of the same order are never both free blocks (they were merged), up to the
 *       highest order
 *   I3  bit k of nonempty is set exactly when free[k] has a block; count is how many
 *   I4  nfree counts the frames of all blocks on the zone's lists
 *   I5  a zone begins and ends at a multiple of the largest block, or where the table does: blocks
 *       never cross from one to another
 *
 * What may fail: quire_buddy_take, with NULL and without a trace. O(orders). Audit: audit.c.
 */
#include "base/check.h"
#include "page/zone.h"

void quire_buddy_list(struct quire_phys *phys, struct quire_zone *zone, struct quire_page *page,
                      unsigned order) {
    unsigned type = quire_zone_type(phys, quire_zone_frame(phys, page));
    struct quire_blocks *blocks = &zone->free[order][type];
    page->use = QUIRE_USE_FREE;
    page->flags = QUIRE_PAGE_HEAD; /* I1 */
    page->order = (uint8_t)(order & 15);
    quire_list_add_after(&blocks->list, &page->link);
    blocks->count++;
    zone->nonempty[type] |= 1u << order; /* I3 */
}

void quire_buddy_unlist(struct quire_phys *phys, struct quire_zone *zone, struct quire_page *page,
                        unsigned order) {
    unsigned type = quire_zone_type(phys, quire_zone_frame(phys, page));
    struct quire_list *next = page->link.next, *prev = page->link.prev;
    next->prev = prev; /* the link itself is not read again before it is written */
    prev->next = next;
    page->flags = 0;
    if (--zone->free[order][type].count == 0) {
        zone->nonempty[type] &= ~(1u << order); /* I3 */
    }
}

void quire_buddy_split(struct quire_phys *phys, struct quire_zone *zone, struct quire_page *page,
                       unsigned have, unsigned order) {
    while (have > order) {
        have--;
        quire_buddy_list(phys, zone, page + ((size_t)1 << have), have);
    }
}

struct quire_page *quire_buddy_take(struct quire_phys *phys, struct quire_zone *zone,
                                    unsigned order, enum quire_migrate_type type) {
    uint32_t enough = zone->nonempty[type] >> order;
    if (enough == 0) {
        return NULL;
    }
    unsigned have = order + (unsigned)__builtin_ctz(enough);
    struct quire_list *first = zone->free[have][type].list.next;
    struct quire_page *page = QUIRE_CONTAINER(first, struct quire_page, link);
    quire_buddy_unlist(phys, zone, page, have);
    quire_buddy_split(phys, zone, page, have, order);
    zone->nfree -= (uint64_t)1 << order; /* I4 */
    return page;
}

void quire_buddy_give(struct quire_phys *phys, struct quire_zone *zone, struct quire_page *page,
                      unsigned order) {
    uint32_t frame = quire_zone_frame(phys, page);
    zone->nfree += (uint64_t)1 << order; /* I4 */
    page->flags = 0;
    while (order + 1 < QUIRE_NORDERS) {
        uint32_t buddy = frame ^ 1u << order;
        /* The table has no struct for what lies outside; for a hole it has a RESERVED one. */
        if (buddy < zone->first || buddy >= zone->end) { /* I5 */
            break;
        }
        struct quire_page *other = quire_zone_page(phys, buddy);
        if (!quire_zone_is_free_head(other, order)) {
            break;
        }
        quire_buddy_unlist(phys, zone, other, order);
        frame &= ~(1u << order);
        order++;
    }
    quire_buddy_list(phys, zone, quire_zone_page(phys, frame), order);
}
