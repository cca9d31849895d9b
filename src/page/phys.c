/* phys.c: from the boot ranges to a running allocator: the frame table, the zone, its watermarks.
 *
 *     first                                                                       end
 *     |  range 0, to the zone  |   hole: RESERVED   |  range 1  |limit  struct quire, |
 *     |                        |  (no RAM, in the   |           |  phys, frame table  |
 *     |                        |   table all the    |           |  RESERVED           |
 *     |                        |   same)            |           |                     |
 *
 * One table from the lowest to the highest frame makes a page from a frame number by one shift and
 * one addition. The price is table for the holes (64 bytes a frame); a table for each range would
 * cost a search on every step of every merge.
 *
 * Invariants:
 *   I1  every frame of RAM has exactly one use; the counts of all uses add up to total
 *   I2  a frame that is in no RAM range is RESERVED for ever and in no count
 *   I3  min <= low <= high < total
 *
 * What may fail: boot, with QUIRE_NOMEM when no range holds the table and QUIRE_INVAL when the
 * wished reserve leaves nothing. Called by core/boot.c. Audit: audit.c.
 */
#include "base/check.h"
#include "page/zone.h"

/* Linux's rule (mm/page_alloc.c, init_per_zone_wmark_min): the reserve grows with the square root
 * of RAM, min_free_kbytes = 4 * sqrt(kilobytes), and is at most 256 MiB. */
#define MIN_FREE_FACTOR  4
#define MIN_FREE_MAX_KIB (256 * 1024)

/* Linux's rule starts at machines of 16 MiB, where it is 1/32 of RAM; below we keep that share, so
 * that a machine of 1 MiB (256 frames) does not set an eighth of itself aside. */
#define MIN_FREE_SHARE_SHIFT 5

/* But never fewer than a fault may need at once: a data frame, 3 table frames, a slab each of
 * anons, sparse array nodes and rmaps, and one over. */
#define MIN_FREE_FLOOR 8

/* The hot list may hold 1/64 of RAM, so that it hides nothing worth having on tiny machines. */
#define HOT_SHARE_SHIFT 6

#define KIB_PER_PAGE (QUIRE_PAGE_SIZE / 1024)

/* Whole part of the square root, one bit at a time: no division, no floating point. */
static uint64_t square_root(uint64_t value) {
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit != 0; bit >>= 1) {
        uint64_t trial = root | bit;
        if (trial * trial <= value) {
            root = trial;
        }
    }
    return root;
}

static uint64_t derive_min(uint64_t pages) {
    uint64_t kib = MIN_FREE_FACTOR * square_root(pages * KIB_PER_PAGE);
    if (kib > MIN_FREE_MAX_KIB) {
        kib = MIN_FREE_MAX_KIB;
    }
    uint64_t min = kib / KIB_PER_PAGE;
    if (min > pages >> MIN_FREE_SHARE_SHIFT) {
        min = pages >> MIN_FREE_SHARE_SHIFT;
    }
    return min > MIN_FREE_FLOOR ? min : MIN_FREE_FLOOR;
}

/* Linux's distances: low is 5/4 of min, high 3/2. Each at least one page above the one before. */
static void set_watermarks(struct quire_zone *zone, uint64_t min) {
    uint64_t quarter = min / 4 > 0 ? min / 4 : 1;
    zone->watermark[QUIRE_WMARK_MIN] = min;
    zone->watermark[QUIRE_WMARK_LOW] = min + quarter;
    zone->watermark[QUIRE_WMARK_HIGH] = min + 2 * quarter;
    zone->reserve[QUIRE_ALLOC_USER] = min;
    zone->reserve[QUIRE_ALLOC_KERNEL] = min / 2;
    zone->reserve[QUIRE_ALLOC_RECLAIM] = 0;
}

static void init_zone(struct quire_phys *phys) {
    struct quire_zone *zone = &phys->zone;
    uint64_t hot = phys->total >> HOT_SHARE_SHIFT;

    zone->name = "Normal";
    zone->first = phys->first;
    zone->end = phys->end;
    for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
        quire_list_init(&zone->free[order]);
    }
    zone->hot_max = hot < 1 ? 1 : hot > QUIRE_ZONE_HOT ? QUIRE_ZONE_HOT : (unsigned)hot;
    zone->hot_batch = (zone->hot_max + 1) / 2;
    for (unsigned list = 0; list < QUIRE_NLRUS; list++) {
        quire_list_init(&phys->lru[list]);
    }
}

/* Give frames first to end - 1 to the zone, as the largest aligned blocks that they consist of. */
static void donate(struct quire *q, uint32_t first, uint32_t end) {
    while (first < end) {
        unsigned order = 0;
        while (order + 1 < QUIRE_NORDERS && (first & ((2u << order) - 1)) == 0 &&
               end - first >= 2u << order) {
            order++;
        }
        quire_zone_donate(q, &q->phys->zone, (quire_frame){first}, order);
        first += 1u << order;
    }
}

/* Copy what is known of the ranges. => nothing more is taken from memblock after this. */
static void adopt_ranges(struct quire *q, const struct quire_memblock *memblock) {
    struct quire_phys *phys = q->phys;
    uint64_t reserved = quire_memblock_taken(memblock) >> QUIRE_PAGE_SHIFT;

    phys->nranges = memblock->nranges;
    phys->total = quire_memblock_total(memblock) >> QUIRE_PAGE_SHIFT;
    phys->counts[QUIRE_USE_RESERVED] = reserved; /* I1 */
    for (unsigned i = 0; i < memblock->nranges; i++) {
        uint32_t first = (uint32_t)(memblock->ranges[i].start >> QUIRE_PAGE_SHIFT);
        phys->ranges[i].first = first;
        phys->ranges[i].end = (uint32_t)(memblock->ranges[i].end >> QUIRE_PAGE_SHIFT);
        phys->ranges[i].window = quire_mach_window(q->machine, (quire_frame){first});
    }
}

enum quire_status quire_phys_boot(struct quire *q, struct quire_memblock *memblock,
                                  uint64_t min_free_pages) {
    uint64_t first = memblock->ranges[0].start >> QUIRE_PAGE_SHIFT;
    uint64_t end = memblock->ranges[memblock->nranges - 1].end >> QUIRE_PAGE_SHIFT;
    struct quire_phys *phys;
    struct quire_page *table;

    phys = quire_memblock_take(memblock, sizeof *phys, _Alignof(max_align_t));
    /* Aligned to its own size, so that a page's struct is one cache line. */
    table = quire_memblock_take(memblock, (end - first) * sizeof *table, 64);
    if (!phys || !table) {
        return QUIRE_NOMEM;
    }
    q->phys = phys;
    phys->table = table; /* zeroed: every frame is RESERVED, I2 */
    phys->first = (uint32_t)first;
    phys->end = (uint32_t)end;
    adopt_ranges(q, memblock);
    init_zone(phys);
    for (unsigned i = 0; i < memblock->nranges; i++) {
        donate(q, phys->ranges[i].first, (uint32_t)(memblock->ranges[i].limit >> QUIRE_PAGE_SHIFT));
    }
    CHECK(q, phys->zone.nfree + phys->counts[QUIRE_USE_RESERVED] == phys->total); /* I1 */

    uint64_t managed = phys->zone.nfree;
    if (min_free_pages > managed) {
        return QUIRE_INVAL;
    }
    set_watermarks(&phys->zone, min_free_pages ? min_free_pages : derive_min(managed));
    return phys->zone.watermark[QUIRE_WMARK_HIGH] < managed ? QUIRE_OK : QUIRE_INVAL; /* I3 */
}

void quire_phys_shutdown(struct quire *q) {
    for (unsigned use = QUIRE_USE_FREE + 1; use < QUIRE_NUSES; use++) {
        CHECK(q, q->phys->counts[use] == 0); /* a leak of the rooms above */
    }
}
