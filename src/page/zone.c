/* zone.c: which RAM serves which request, and how much of it must stay.
 *
 * Some devices reach only the lowest RAM. What they need is kept for them by dividing RAM into
 * zones, low to high, and by letting everybody else start at the top:
 *
 *     |  DMA  |      DMA32      |          NORMAL          |      HIGHMEM (32-bit)     |
 *        16 MiB          4 GiB
 *                                  ◀── kernel starts here     programs start here ──▶
 *                ◀── falls back, as long as a zone keeps its reserve and its protection
 *
 * Each zone has three watermarks, Linux's (mm/page_alloc.c, __setup_per_zone_wmarks): its share of
 * `min`, and `low` and `high` above that. A request looks for a zone that is above `low` first, so
 * that all zones are used before any is under pressure; then for one above its reserve. A request
 * that could be served higher leaves `protection` more (lowmem_reserve): a 256th of what lies
 * above.
 *
 * Invariants:
 *   I1  after an allocation the zone that gave it has its reserve of that mode, and its protection
 *   I2  zones ascend without gaps from phys->first to phys->end; the highest with frames is `top`
 *   I3  min <= low <= high, in each zone
 *
 * What may fail: boot; allocation, without a trace; O(zones * orders), but for sending the
 * stacks of processors home, which are then empty. Called by page.c, kmem/. Audit: audit.c.
 */
#include "page/zone.h"

#include "base/check.h"

/* Linux's rule (mm/page_alloc.c, calculate_min_free_kbytes): the reserve grows with the square root
 * of RAM, min_free_kbytes = 4 * sqrt(kilobytes), and is at most 256 MiB. */
#define MIN_FREE_FACTOR  4
#define MIN_FREE_MAX_KIB (256 * 1024)

/* Linux's rule starts at machines of 16 MiB, where it is 1/32 of RAM; below we keep that share, so
 * that a machine of 1 MiB (256 frames) does not set an eighth of itself aside. */
#define MIN_FREE_SHARE_SHIFT 5

/* But never fewer than a fault may need at once: a data frame, 3 table frames, a slab each of
 * anons, sparse array nodes and rmaps, and one over. */
#define MIN_FREE_FLOOR 8

/* watermark_scale_factor: low and high are at least a thousandth of the zone apart. */
#define SCALE_SHARE 1000

/* sysctl_lowmem_reserve_ratio of each zone, as shifts: 256, 256, 32, and HIGHMEM's is never asked.
 */
static const uint8_t protection_shift[QUIRE_NZONES] = {8, 8, 5, 0};

static const char *const names[QUIRE_NZONES] = {"DMA", "DMA32", "Normal", "HighMem"};

#define KIB_PER_PAGE (QUIRE_PAGE_SIZE / 1024)
#define BLOCK_FRAMES (1u << (QUIRE_NORDERS - 1))
#define DMA_BYTES    ((uint64_t)16 << 20)
#define DMA32_END    ((uint64_t)4 << 30)

/* ---- layout ---------------------------------------------------------------------------------- */

/* The first frame past a zone: where its end says, but between largest blocks. */
static uint32_t end_frame(const struct quire_phys *phys, uint32_t first, uint64_t end_bytes) {
    uint64_t end = (end_bytes >> QUIRE_PAGE_SHIFT) & ~(uint64_t)(BLOCK_FRAMES - 1);
    if (end >= phys->end) {
        return phys->end;
    }
    return end > first ? (uint32_t)end : first;
}

void quire_zone_layout(struct quire_phys *phys, const uint64_t *ends) {
    uint64_t start = ((uint64_t)phys->first << QUIRE_PAGE_SHIFT) & ~(DMA_BYTES - 1);
    const uint64_t usual[QUIRE_NZONES] = {start + DMA_BYTES, DMA32_END, UINT64_MAX, 0};
    uint32_t first = phys->first;
    ends = ends ? ends : usual;
    for (unsigned i = 0; i < QUIRE_NZONES; i++) {
        struct quire_zone *zone = &phys->zones[i];
        bool rest = true; /* nothing above it has an end that is higher */
        for (unsigned j = i + 1; j < QUIRE_NZONES; j++) {
            rest = rest && ends[j] <= ends[i];
        }
        zone->name = names[i];
        zone->first = first;
        zone->end = rest && phys->end > first ? phys->end : end_frame(phys, first, ends[i]);
        if (zone->end > zone->first) { /* I2 */
            phys->top = i;
            phys->kernel_top = i < QUIRE_ZONE_HIGHMEM ? i : phys->kernel_top;
        }
        zone->base = first & ~(BLOCK_FRAMES - 1);
        first = zone->end;
    }
    phys->failed_zone = phys->top;
    phys->wanted_zone = QUIRE_NZONES;
}

/* One set of free blocks. */
static enum quire_status boot_set(struct quire_blockset *set, struct quire_memblock *memblock,
                                  uint64_t limit) {
    void *bytes = quire_memblock_take(memblock, quire_blockset_bytes(limit), sizeof(uint64_t));
    if (!bytes) {
        return QUIRE_NOMEM;
    }
    quire_blockset_init(set, limit, bytes);
    return QUIRE_OK;
}

enum quire_status quire_zone_boot(struct quire_phys *phys, struct quire_memblock *memblock) {
    for (unsigned i = 0; i < QUIRE_NZONES; i++) {
        struct quire_zone *zone = &phys->zones[i];
        for (unsigned order = 0; zone->end > zone->first && order < QUIRE_NORDERS; order++) {
            uint64_t limit = quire_zone_numbers(zone, order);
            for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
                if (boot_set(&zone->free[order][type], memblock, limit) != QUIRE_OK) {
                    return QUIRE_NOMEM;
                }
            }
        }
    }
    return QUIRE_OK;
}

/* ---- watermarks ------------------------------------------------------------------------------ */

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

/* amount * part / whole, all below 2^32, by long division: 32-bit targets have no other. */
static uint64_t share_of(uint64_t amount, uint64_t part, uint64_t whole) {
    uint64_t product = amount * part, quotient = 0, rest = 0;
    for (unsigned bit = 64; bit-- > 0;) {
        rest = rest << 1 | (product >> bit & 1);
        quotient <<= 1;
        if (rest >= whole) {
            rest -= whole;
            quotient |= 1;
        }
    }
    return quotient;
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

/* Linux's distances: low is 5/4 of min, high 3/2, and each at least a thousandth of the zone, and a
 * page, above the one before. */
static void set_marks(struct quire_zone *zone, uint64_t min) {
    uint64_t step = min / 4, least = (uint32_t)zone->managed / SCALE_SHARE;
    step = step < least ? least : step;
    step = step < 1 ? 1 : step;
    zone->watermark[QUIRE_WMARK_MIN] = min;
    zone->watermark[QUIRE_WMARK_LOW] = min + step;
    zone->watermark[QUIRE_WMARK_HIGH] = min + 2 * step; /* I3 */
    zone->reserve[QUIRE_ALLOC_USER] = min;
    zone->reserve[QUIRE_ALLOC_KERNEL] = min / 2;
    zone->reserve[QUIRE_ALLOC_RECLAIM] = 0;
}

bool quire_zone_set_watermarks(struct quire_phys *phys, uint64_t min_free_pages) {
    uint64_t managed = 0, left, high = 0;
    for (unsigned i = 0; i <= phys->top; i++) {
        managed += phys->zones[i].managed;
    }
    left = min_free_pages ? min_free_pages : derive_min(managed);
    if (left >= managed) {
        return false;
    }
    uint64_t min = left;
    for (unsigned i = 0; i <= phys->top; i++) {
        struct quire_zone *zone = &phys->zones[i];
        uint64_t above = 0, part = i == phys->top ? left : share_of(min, zone->managed, managed);
        left -= part;
        if (zone->managed > 0) {
            set_marks(zone, part);
            high += zone->watermark[QUIRE_WMARK_HIGH];
        }
        for (unsigned j = i + 1; j < QUIRE_NZONES; j++) {
            above += phys->zones[j].managed;
            zone->protection[j] = above >> protection_shift[i];
        }
    }
    quire_pcp_set_floor(phys);
    return high < managed;
}

uint64_t quire_zone_nfree(const struct quire_phys *phys, const struct quire_zone *zone) {
    return zone->nfree + quire_pcp_frames(phys, zone);
}

bool quire_zone_has(const struct quire_phys *phys, const struct quire_zone *zone,
                    uint64_t nframes) {
    return zone->nfree >= nframes ||
           (zone->nfree + zone->hot_most >= nframes && quire_zone_nfree(phys, zone) >= nframes);
}

uint64_t quire_page_watermark(const struct quire *q, enum quire_watermark mark) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < QUIRE_NZONES; i++) {
        sum += q->phys->zones[i].watermark[mark];
    }
    return sum;
}

uint64_t quire_page_shortfall_below(const struct quire *q, enum quire_watermark mark,
                                    unsigned highest) {
    const struct quire_phys *phys = q->phys;
    uint64_t least = UINT64_MAX;
    for (unsigned i = highest + 1; i-- > 0;) {
        const struct quire_zone *zone = &phys->zones[i];
        uint64_t want = zone->watermark[mark] + zone->protection[highest];
        if (zone->managed == 0) {
            continue;
        }
        if (zone->nfree >= want) {
            return 0;
        }
        uint64_t free = quire_zone_nfree(phys, zone);
        if (free >= want) {
            return 0;
        }
        least = want - free < least ? want - free : least;
    }
    return least;
}

uint64_t quire_page_shortfall(const struct quire *q, enum quire_watermark mark) {
    const struct quire_phys *phys = q->phys;
    const struct quire_zone *top = &phys->zones[phys->top];
    if (top->nfree >= top->watermark[mark]) { /* mostly so, and asked after each fault */
        return 0;
    }
    return quire_page_shortfall_below(q, mark, phys->top);
}

bool quire_page_is_above_min(const struct quire *q, unsigned highest) {
    const struct quire_phys *phys = q->phys;
    for (unsigned i = highest + 1; i-- > 0;) {
        const struct quire_zone *zone = &phys->zones[i];
        uint64_t min = zone->watermark[QUIRE_WMARK_MIN] + zone->protection[highest];
        if (zone->managed && quire_zone_has(phys, zone, min + 1)) {
            return true;
        }
    }
    return false;
}

/* ---- allocation ------------------------------------------------------------------------------ */

/* The highest zone that may serve a request of this mode. */
static unsigned highest_zone(const struct quire_phys *phys, unsigned mode) {
    unsigned highest =
        (mode & QUIRE_ALLOC_RESERVE_MASK) == QUIRE_ALLOC_USER ? phys->top : phys->kernel_top;
    if (mode & QUIRE_ALLOC_DMA) {
        return QUIRE_ZONE_DMA;
    }
    if ((mode & QUIRE_ALLOC_DMA32) && highest > QUIRE_ZONE_DMA32) {
        return QUIRE_ZONE_DMA32;
    }
    return highest;
}

/* What looks at the zones found. */
struct findings {
    unsigned thin; /* bit i: zone i has too few frames */
    bool apart;    /* one has enough, but not together */
};

/* One look at the zones of a set of bits, from the highest down. */
static uint32_t take_from_zones(struct quire_phys *phys, unsigned order, unsigned type,
                                unsigned mode, unsigned set, bool above_low,
                                struct findings *findings) {
    unsigned highest = highest_zone(phys, mode), reserve = mode & QUIRE_ALLOC_RESERVE_MASK;
    for (unsigned i = highest + 1; i-- > 0;) {
        struct quire_zone *zone = &phys->zones[i];
        uint64_t stays = zone->reserve[reserve];
        if (!(set >> i & 1) || zone->managed == 0) {
            continue;
        }
        if (above_low && stays < zone->watermark[QUIRE_WMARK_LOW]) {
            stays = zone->watermark[QUIRE_WMARK_LOW];
        }
        if (reserve != QUIRE_ALLOC_RECLAIM) {
            stays += zone->protection[highest];
        }
        if (!quire_zone_has(phys, zone, stays + ((uint64_t)1 << order))) { /* I1 */
            findings->thin |= 1u << i;
            continue;
        }
        uint32_t frame = quire_pcp_take(phys, zone, order, type);
        if (frame != QUIRE_NO_FRAME) {
            if (highest == phys->top) { /* all were asked: the next ones need not */
                quire_pcp_set_zone(phys, i, above_low);
            }
            return frame;
        }
        findings->apart = true;
    }
    return QUIRE_NO_FRAME;
}

/* Where the fast path has nothing: the next zone, the next batch, the next type. => order and use
 * are in range. The block is not yet handed out. */
uint32_t quire_zone_take(struct quire_phys *phys, unsigned order, enum quire_page_use use,
                         unsigned mode) {
    unsigned type = quire_zone_type_of(phys, use, mode);
    bool chosen = (mode & QUIRE_ALLOC_RESERVE_MASK) != QUIRE_ALLOC_RECLAIM;
    struct findings findings = {0};
    uint32_t frame = take_from_zones(phys, order, type, mode, ~0u, chosen, &findings);
    if (frame == QUIRE_NO_FRAME && chosen && findings.thin) { /* the others had no such block */
        unsigned highest = highest_zone(phys, mode);
        if (highest < phys->top && highest < phys->wanted_zone) {
            phys->wanted_zone = highest; /* kswapd.c asks */
        }
        frame = take_from_zones(phys, order, type, mode, findings.thin, false, &findings);
    }
    if (frame == QUIRE_NO_FRAME) {
        phys->failed_order = findings.apart ? order : 0; /* compact.c asks */
        phys->failed_zone = highest_zone(phys, mode);
        phys->wanted_order =
            phys->failed_order > phys->wanted_order ? phys->failed_order : phys->wanted_order;
        return QUIRE_NO_FRAME;
    }
    quire_pcp_set_floor(phys);
    return frame;
}

/* ---- what the views show --------------------------------------------------------------------- */

static const struct quire_zone *nth_zone(const struct quire_phys *phys, unsigned index) {
    for (unsigned i = 0; i < QUIRE_NZONES; i++) {
        if (phys->zones[i].present > 0 && index-- == 0) {
            return &phys->zones[i];
        }
    }
    return NULL;
}

bool quire_page_zone(const struct quire *q, unsigned index, struct quire_zone_info *info) {
    const struct quire_phys *phys = q->phys;
    const struct quire_zone *zone = nth_zone(phys, index);
    if (!zone) {
        return false;
    }
    *info = (struct quire_zone_info){.name = zone->name,
                                     .kind = (unsigned)(zone - phys->zones),
                                     .first = zone->first,
                                     .end = zone->end,
                                     .present = zone->present,
                                     .managed = zone->managed,
                                     .free = quire_zone_nfree(phys, zone),
                                     .ncpus = phys->ncpus};
    __builtin_memcpy(info->watermark, zone->watermark, sizeof info->watermark);
    __builtin_memcpy(info->protection, zone->protection, sizeof info->protection);
    for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
        for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
            info->blocks[order][type] = zone->free[order][type].count;
        }
    }
    uint32_t frame = zone->first & ~((1u << QUIRE_PAGEBLOCK_ORDER) - 1);
    for (; frame < zone->end; frame += 1u << QUIRE_PAGEBLOCK_ORDER) {
        info->pageblocks[quire_zone_type(phys, frame)]++;
    }
    return true;
}

void quire_page_pcp(const struct quire *q, unsigned index, unsigned cpu,
                    struct quire_pcp_info *info) {
    const struct quire_phys *phys = q->phys;
    const struct quire_zone *zone = nth_zone(phys, index);
    *info = (struct quire_pcp_info){.batch = QUIRE_PCP_BATCH};
    for (unsigned order = 0; order <= QUIRE_PAGEBLOCK_ORDER; order++) {
        for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
            const struct quire_hot *hot =
                &phys->pcps[cpu].hot[order][QUIRE_CLASS(zone - phys->zones, type)];
            info->count += hot->count << order;
            info->high += hot->max << order;
        }
    }
}
