/* phys.c: from the boot ranges to a running allocator: frame table, page blocks, zones filled.
 *
 *     first                                                                       end
 *     |  range 0, to its zones |   hole: RESERVED   |  range 1  |limit  struct quire, |
 *     |                        |  (no RAM, in the   |           |  phys, frame table  |
 *     |                        |   table all the    |           |  RESERVED           |
 *     |                        |   same)            |           |                     |
 *
 * With reserve_bytes what is set aside lies below those, RESERVED too, and what its alignment left
 * above it, memblock's spare piece, goes to the zones.
 *
 * One table from the lowest to the highest frame makes a page from a frame number by one shift and
 * one addition. The price is table for the holes (65 bytes a frame); a table for each range would
 * cost a search on every step of every merge.
 *
 * Invariants:
 *   I1  every frame of RAM has exactly one use; the counts of all uses add up to total
 *   I2  a frame that is in no RAM range is RESERVED for ever and in no count
 *   I3  the high marks of all zones together are less than what they manage
 *
 * What may fail: boot, with QUIRE_NOMEM when no range holds the table and QUIRE_INVAL when the
 * wished reserve leaves nothing. Called by core/boot.c. Audit: audit.c.
 */
#include "base/check.h"
#include "page/zone.h"

#define PAGEBLOCK_FRAMES (1u << QUIRE_PAGEBLOCK_ORDER)

/* Below this many page blocks for each migrate type (8 MiB, as on Linux with its four types) types
 * would only be in each other's way. */
#define GROUPED_FRAMES (4 * PAGEBLOCK_FRAMES)

/* Give frames first to end - 1 to their zones, as the largest aligned blocks that they consist of.
 * Zones begin and end between blocks. */
static void donate(struct quire_phys *phys, uint32_t first, uint32_t end) {
    while (first < end) {
        unsigned order = 0;
        while (order + 1 < QUIRE_NORDERS && (first & ((2u << order) - 1)) == 0 &&
               end - first >= 2u << order) {
            order++;
        }
        struct quire_zone *zone = quire_zone_of(phys, first);
        quire_buddy_list(phys, zone, first, order);
        zone->nfree += (uint64_t)1 << order;
        first += 1u << order;
    }
}

/* Copy what is known of the ranges. */
static void adopt_ranges(struct quire *q, const struct quire_memblock *memblock) {
    struct quire_phys *phys = q->phys;
    phys->nranges = memblock->nranges;
    phys->total = quire_memblock_total(memblock) >> QUIRE_PAGE_SHIFT;
    for (unsigned i = 0; i < memblock->nranges; i++) {
        uint32_t first = (uint32_t)(memblock->ranges[i].start >> QUIRE_PAGE_SHIFT);
        phys->ranges[i].first = first;
        phys->ranges[i].end = (uint32_t)(memblock->ranges[i].end >> QUIRE_PAGE_SHIFT);
        phys->ranges[i].window = quire_mach_window(q->machine, (quire_frame){first});
    }
}

/* Frames first to end - 1 that lie in a zone. */
static uint32_t overlap(const struct quire_zone *zone, uint32_t first, uint32_t end) {
    first = first > zone->first ? first : zone->first;
    end = end < zone->end ? end : zone->end;
    return end > first ? end - first : 0;
}

/* What each zone has of RAM, and of that what nobody took. */
static void count_zones(struct quire_phys *phys, const struct quire_memblock *memblock) {
    for (unsigned i = 0; i < QUIRE_NZONES; i++) {
        struct quire_zone *zone = &phys->zones[i];
        zone->present = zone->managed = 0;
        for (unsigned j = 0; j < memblock->nranges; j++) {
            uint32_t first = phys->ranges[j].first, end = phys->ranges[j].end;
            zone->present += overlap(zone, first, end);
            end = (uint32_t)(memblock->ranges[j].limit >> QUIRE_PAGE_SHIFT);
            zone->managed += overlap(zone, first, end);
        }
        zone->managed += overlap(zone, (uint32_t)(memblock->spare.start >> QUIRE_PAGE_SHIFT),
                                 (uint32_t)(memblock->spare.limit >> QUIRE_PAGE_SHIFT));
    }
}

/* All that is taken from memblock: => nothing is taken after this. */
static enum quire_status take_tables(struct quire *q, struct quire_memblock *memblock) {
    struct quire_phys *phys = q->phys;
    uint64_t nblocks =
        ((phys->end - 1) >> QUIRE_PAGEBLOCK_ORDER) - (phys->first >> QUIRE_PAGEBLOCK_ORDER) + 1;
    /* Aligned to its own size, so that a page's struct is one cache line. Tags are zeroed: every
     * frame is RESERVED, I2. */
    phys->table = quire_memblock_take(memblock, (uint64_t)phys->nframes * sizeof *phys->table, 64);
    uint8_t *tags = quire_memblock_take(memblock, phys->nframes, 64);
    uint8_t *classes = quire_memblock_take(memblock, nblocks, 1);
    if (!phys->table || !tags || !classes || quire_zone_boot(phys, memblock) != QUIRE_OK) {
        return QUIRE_NOMEM;
    }
    phys->tags = (uintptr_t)tags - phys->first;
    phys->classes = (uintptr_t)classes - (phys->first >> QUIRE_PAGEBLOCK_ORDER);
    phys->type_mask = phys->total < GROUPED_FRAMES ? 0 : QUIRE_MIGRATE_MASK;
    for (uint64_t i = 0; i < nblocks; i++) {
        uint32_t frame = (phys->first & ~(PAGEBLOCK_FRAMES - 1)) + (uint32_t)i * PAGEBLOCK_FRAMES;
        frame = frame < phys->first ? phys->first : frame;
        unsigned zone = (unsigned)(quire_zone_of(phys, frame) - phys->zones);
        classes[i] = (uint8_t)QUIRE_CLASS(zone, QUIRE_MIGRATE_MOVABLE & phys->type_mask);
    }
    count_zones(phys, memblock); /* how long lists may be */
    if (quire_pcp_boot(q, memblock) != QUIRE_OK) {
        return QUIRE_NOMEM;
    }
    count_zones(phys, memblock);
    phys->reserved = quire_memblock_taken(memblock) >> QUIRE_PAGE_SHIFT; /* I1 */
    return QUIRE_OK;
}

#define LARGEST_BLOCK (QUIRE_PAGE_SIZE << (QUIRE_NORDERS - 1))

/* q->phys, and what is set aside for a driver: that first, as its alignment is the largest. */
static enum quire_status take_state(struct quire *q, struct quire_memblock *memblock,
                                    uint64_t reserve_bytes) {
    uint64_t align = reserve_bytes >= LARGEST_BLOCK ? LARGEST_BLOCK : QUIRE_PAGE_SIZE;
    quire_paddr aside = {0};
    if (reserve_bytes > 0 &&
        quire_memblock_reserve(memblock, reserve_bytes, align, &aside) != QUIRE_OK) {
        return QUIRE_NOMEM;
    }
    q->phys = quire_memblock_take(memblock, sizeof *q->phys, 64);
    if (!q->phys) {
        return QUIRE_NOMEM;
    }
    q->phys->aside = aside;
    q->phys->aside_bytes = quire_round_up(reserve_bytes);
    return QUIRE_OK;
}

bool quire_reserved(const struct quire *q, quire_paddr *start, uint64_t *length_bytes) {
    *start = q->phys->aside;
    *length_bytes = q->phys->aside_bytes;
    return *length_bytes > 0;
}

enum quire_status quire_phys_boot(struct quire *q, struct quire_memblock *memblock,
                                  const struct quire_phys_config *config) {
    uint64_t managed = 0;
    if (config->ncpus > QUIRE_CPUS_MAX) {
        return QUIRE_INVAL;
    }
    enum quire_status status = take_state(q, memblock, config->reserve_bytes);
    if (status != QUIRE_OK) {
        return status;
    }
    struct quire_phys *phys = q->phys;
    phys->first = (uint32_t)(memblock->ranges[0].start >> QUIRE_PAGE_SHIFT);
    phys->end = (uint32_t)(memblock->ranges[memblock->nranges - 1].end >> QUIRE_PAGE_SHIFT);
    phys->nframes = phys->end - phys->first;
    phys->ncpus = config->ncpus ? config->ncpus : 1;
    adopt_ranges(q, memblock);
    quire_zone_layout(phys, config->zone_ends);
    status = take_tables(q, memblock);
    if (status != QUIRE_OK) {
        return status;
    }
    for (unsigned i = 0; i < memblock->nranges; i++) {
        donate(phys, phys->ranges[i].first,
               (uint32_t)(memblock->ranges[i].limit >> QUIRE_PAGE_SHIFT));
    }
    donate(phys, (uint32_t)(memblock->spare.start >> QUIRE_PAGE_SHIFT),
           (uint32_t)(memblock->spare.limit >> QUIRE_PAGE_SHIFT));
    for (unsigned i = 0; i < QUIRE_NZONES; i++) {
        CHECK(q, phys->zones[i].nfree == phys->zones[i].managed);
        managed += phys->zones[i].managed;
    }
    CHECK(q, managed + phys->reserved == phys->total); /* I1 */
    return quire_zone_set_watermarks(phys, config->min_free_pages) ? QUIRE_OK
                                                                   : QUIRE_INVAL; /* I3 */
}

void quire_phys_shutdown(struct quire *q) {
    for (unsigned use = QUIRE_USE_FREE + 1; use < QUIRE_NUSES; use++) {
        CHECK(q, quire_page_count(q, use) == 0); /* a leak of the rooms above */
    }
}
