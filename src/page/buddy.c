/* buddy.c: blocks of 2^order frames, split and merged.
 *
 * What it is: the binary buddy system (Knowlton 1965; Knuth, vol. 1, 2.5). A free block is known by
 * the tag of its first frame: FREE, HEAD, its order, one byte. The buddy of a block is found by
 * flipping one bit of its number:
 *
 *     order 3 |               0               |
 *     order 2 |       0       |       4       |      buddy of 4 in order 2: 4 ^ 4 = 0
 *     order 1 |   0   |   2   |   4   |   6   |      buddy of 6 in order 1: 6 ^ 2 = 4
 *     order 0 | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
 *
 * So a merge looks at a byte of the buddy and moves a bit from one set to another (blockset.h); the
 * frames' structs are not touched. With lists through the structs, as Linux has them, each random
 * free waited for three or four cold lines (mixed orders in bench/core.c: 110 ns, with sets half of
 * it). One word for each migrate type says which orders have blocks, so that a request that cannot
 * be met fails after looking at three words, however much is free.
 *
 * This file knows frames and sets only. Who may have a block is zone.c's question, what stands
 * before the sets is pcp.c's, and what one type takes from another mobility.c's.
 *
 * Invariants:
 *   I1  a free block's first frame is aligned to its size, tagged FREE, HEAD and with its order,
 *       and in the set of that order and of the type of the page block that it lies in; the tags of
 *       its other frames are not HEAD
 *   I2  two buddies of the same order are never both free blocks (they were merged), up to the
 *       highest order
 *   I3  bit k of nonempty is set exactly when free[k] has a block
 *   I4  nfree counts the frames of all blocks in the zone's sets
 *   I5  a zone begins and ends at a multiple of the largest block, or where the table does: blocks
 *       never cross from one to another
 *
 * What may fail: quire_buddy_take, with QUIRE_NO_FRAME and without a trace. O(orders). Audit:
 * audit.c.
 */
#include "base/check.h"
#include "page/zone.h"

/* A block's number in the sets of its order. */
static uint32_t number_of(const struct quire_zone *zone, uint32_t frame, unsigned order) {
    return (frame - zone->base) >> order;
}

void quire_buddy_list(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame,
                      unsigned order) {
    unsigned type = quire_zone_type(phys, frame);
    *quire_zone_tag(phys, frame) = QUIRE_TAG_OF(QUIRE_USE_FREE, order); /* I1 */
    quire_blockset_add(&zone->free[order][type], number_of(zone, frame, order));
    zone->nonempty[type] |= 1u << order; /* I3 */
}

void quire_buddy_unlist(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame,
                        unsigned order) {
    unsigned type = quire_zone_type(phys, frame);
    *quire_zone_tag(phys, frame) = QUIRE_TAG(QUIRE_USE_FREE, order); /* no head */
    quire_blockset_remove(&zone->free[order][type], number_of(zone, frame, order));
    if (zone->free[order][type].count == 0) {
        zone->nonempty[type] &= ~(1u << order); /* I3 */
    }
}

uint32_t quire_buddy_lowest(const struct quire_zone *zone, unsigned order, unsigned type) {
    return zone->base + (quire_blockset_lowest(&zone->free[order][type]) << order);
}

void quire_buddy_carve(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame,
                       unsigned have, unsigned order) {
    quire_buddy_unlist(phys, zone, frame, have);
    while (have > order) {
        have--;
        quire_buddy_list(phys, zone, frame + (1u << have), have);
    }
    zone->nfree -= (uint64_t)1 << order; /* I4 */
}

uint32_t quire_buddy_take(struct quire_phys *phys, struct quire_zone *zone, unsigned order,
                          enum quire_migrate_type type) {
    uint32_t enough = zone->nonempty[type] >> order;
    if (enough == 0) {
        return QUIRE_NO_FRAME;
    }
    unsigned have = order + (unsigned)__builtin_ctz(enough);
    uint32_t frame = quire_buddy_lowest(zone, have, type);
    quire_buddy_carve(phys, zone, frame, have, order);
    return frame;
}

void quire_buddy_give(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame,
                      unsigned order) {
    zone->nfree += (uint64_t)1 << order;                             /* I4 */
    *quire_zone_tag(phys, frame) = QUIRE_TAG(QUIRE_USE_FREE, order); /* it may end in the middle */
    while (order + 1 < QUIRE_NORDERS) {
        uint32_t buddy = frame ^ 1u << order;
        /* What lies outside has no tag; a hole's is RESERVED. */
        if (buddy < zone->first || buddy >= zone->end || /* I5 */
            *quire_zone_tag(phys, buddy) != QUIRE_TAG_OF(QUIRE_USE_FREE, order)) {
            break;
        }
        quire_buddy_unlist(phys, zone, buddy, order);
        frame &= ~(1u << order);
        order++;
    }
    quire_buddy_list(phys, zone, frame, order);
}
