/* mobility.c: keeping what can't move together, so that large blocks can be made again.
 *
 * One page of kernel memory in the middle of 2 MiB makes them useless for a huge page, for as long
 * as it lives; 512 such pages in the same 2 MiB cost one huge page, spread evenly they cost 512. So
 * each page block (2 MiB) has a migrate type, and allocations of a type come from its blocks (Mel
 * Gorman's anti-fragmentation in Linux, mm/page_alloc.c, 2007):
 *
 *     | M M . M M | U U U . U | M . M M M | R R . . R | M M M M M |      . free
 *       movable     unmovable   movable     reclaimable
 *
 * At boot all are movable. A type that has run out takes from another, in the order of the table
 * below, and as much as possible at once: the largest free block that there is. When the taker will
 * fill most of that page block, the block's type is changed with all that is free in it, so that
 * the next ones need not steal again. A movable page does not hurt where it is (it can move), so it
 * takes the smallest block that serves, and changes nothing, unless it gets half a page block or
 * more.
 *
 * On a machine of a few page blocks types would only be in each other's way: all is UNMOVABLE there
 * (phys->type_mask, as Linux's page_group_by_mobility_disabled).
 *
 * I1  a free block is in the set of its head's page block's type (buddy.c I1): whoever changes a
 *     type moves the free blocks of that page block
 *
 * What may fail: nothing is left of any type: QUIRE_NO_FRAME. Changing a type costs a walk over 512
 * tags; it happens once for hundreds of allocations. Called by pcp.c. Audit: audit.c.
 */
#include "page/zone.h"

#define PAGEBLOCK_FRAMES (1u << QUIRE_PAGEBLOCK_ORDER)

/* Whom to take from, best first (Linux: fallbacks[] in mm/page_alloc.c). */
static const uint8_t donors[QUIRE_NMIGRATE][QUIRE_NMIGRATE - 1] = {
    [QUIRE_MIGRATE_UNMOVABLE] = {QUIRE_MIGRATE_RECLAIMABLE, QUIRE_MIGRATE_MOVABLE},
    [QUIRE_MIGRATE_MOVABLE] = {QUIRE_MIGRATE_RECLAIMABLE, QUIRE_MIGRATE_UNMOVABLE},
    [QUIRE_MIGRATE_RECLAIMABLE] = {QUIRE_MIGRATE_UNMOVABLE, QUIRE_MIGRATE_MOVABLE},
};

/* The page block around a frame, as far as it lies in the zone. */
static uint32_t block_first(const struct quire_zone *zone, uint32_t frame) {
    uint32_t first = frame & ~(PAGEBLOCK_FRAMES - 1);
    return first < zone->first ? zone->first : first;
}

static uint32_t block_end(const struct quire_zone *zone, uint32_t frame) {
    uint32_t end = (frame | (PAGEBLOCK_FRAMES - 1)) + 1;
    return end == 0 || end > zone->end ? zone->end : end;
}

/* Is at least half of the page block, as far as it is RAM that can be had, free or in a use like
 * `type`? */
static bool is_worth_it(const struct quire_phys *phys, const struct quire_zone *zone,
                        uint32_t frame, enum quire_migrate_type type) {
    bool movable = type == QUIRE_MIGRATE_MOVABLE;
    uint32_t at = block_first(zone, frame), end = block_end(zone, frame);
    uint32_t good = 0, all = 0;
    while (at < end) {
        uint8_t tag = *quire_zone_tag(phys, at);
        unsigned use = quire_tag_use(tag);
        uint32_t nframes = quire_tag_frames(tag);
        if (use != QUIRE_USE_RESERVED) {
            bool fits = use == QUIRE_USE_FREE || (use >= QUIRE_USE_ANON) == movable;
            good += fits ? nframes : 0;
            all += nframes;
        }
        at += nframes;
    }
    return 2 * good >= all;
}

/* I1. => no free block reaches beyond the page block */
static void change_type(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame,
                        enum quire_migrate_type type) {
    uint32_t first = block_first(zone, frame), end = block_end(zone, frame);
    uint8_t *now = quire_zone_class(phys, frame);
    uint8_t before = *now, after = (uint8_t)((before & ~QUIRE_MIGRATE_MASK) | type);
    for (uint32_t at = first; at < end;) {
        uint8_t tag = *quire_zone_tag(phys, at);
        unsigned order = quire_tag_order(tag);
        if (tag == QUIRE_TAG_OF(QUIRE_USE_FREE, order)) {
            *now = before;
            quire_buddy_unlist(phys, zone, at, order);
            *now = after;
            quire_buddy_list(phys, zone, at, order);
        }
        at += 1u << order;
    }
    *now = after;
}

/* The taker of this block may want all of its page block. */
static void claim(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame, unsigned order,
                  enum quire_migrate_type type) {
    if (order >= QUIRE_PAGEBLOCK_ORDER) {
        quire_buddy_unlist(phys, zone, frame, order);
        for (uint32_t at = 0; at < 1u << order; at += PAGEBLOCK_FRAMES) {
            uint8_t *now = quire_zone_class(phys, frame + at);
            *now = (uint8_t)((*now & ~QUIRE_MIGRATE_MASK) | type);
        }
        quire_buddy_list(phys, zone, frame, order);
        return;
    }
    if (is_worth_it(phys, zone, frame, type)) {
        change_type(phys, zone, frame, type);
    }
}

/* The donor that has a block of just that order. => there is one */
static unsigned donor_at(const struct quire_zone *zone, unsigned order,
                         enum quire_migrate_type type) {
    const uint8_t *from = donors[type];
    return zone->nonempty[from[0]] >> order & 1 ? from[0] : from[1];
}

uint32_t quire_mobility_steal(struct quire_phys *phys, struct quire_zone *zone, unsigned order,
                              enum quire_migrate_type type) {
    uint32_t there = 0;
    for (unsigned i = 0; i < QUIRE_NMIGRATE - 1; i++) {
        there |= zone->nonempty[donors[type][i]];
    }
    if (there >> order == 0) {
        return QUIRE_NO_FRAME;
    }
    unsigned have = 31 - (unsigned)__builtin_clz(there); /* the largest */
    bool whole = type != QUIRE_MIGRATE_MOVABLE || have >= QUIRE_PAGEBLOCK_ORDER / 2;
    if (!whole) { /* the smallest that serves */
        have = order + (unsigned)__builtin_ctz(there >> order);
    }
    uint32_t frame = quire_buddy_lowest(zone, have, donor_at(zone, have, type));
    if (whole) {
        claim(phys, zone, frame, have, type);
    }
    quire_buddy_carve(phys, zone, frame, have, order);
    return frame;
}
