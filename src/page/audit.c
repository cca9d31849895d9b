/* audit.c: the slow truth about frames, against the fast counters and lists.
 *
 * One walk over the frame table, block by block, recounts uses, free blocks and list members from
 * nothing but the frames' own fields; then each list is walked and must hold exactly those.
 * O(frames). Holds the invariants of phys.c (P), zone.c (Z), buddy.c (B) and pcp.c; the queues of
 * pages are lru_audit.c's. Panics at the first difference.
 */
#include "base/check.h"
#include "page/zone.h"

struct recount {
    uint64_t uses[QUIRE_NUSES];
    uint64_t lru[QUIRE_LRU_KINDS]; /* frames */
    /* Of the zone that is walked. */
    uint64_t blocks[QUIRE_NORDERS][QUIRE_NMIGRATE];
    uint64_t hot[QUIRE_NORDERS]; /* free, and on no buddy list */
};

/* A free block's head, or a block on a processor's stack. */
static void audit_free(struct quire *q, const struct quire_zone *zone,
                       const struct quire_page *page, uint32_t frame, struct recount *sum) {
    if (!(page->flags & QUIRE_PAGE_HEAD)) {
        sum->hot[page->order]++;
        return;
    }
    unsigned type = quire_zone_type(q->phys, frame);
    CHECK(q, type < QUIRE_NMIGRATE && (type & ~q->phys->type_mask) == 0);
    CHECK(q, *quire_zone_class(q->phys, frame) == QUIRE_CLASS(zone - q->phys->zones, type));
    sum->blocks[page->order][type]++;
    if (page->order + 1 < QUIRE_NORDERS) {
        uint32_t buddy = frame ^ 1u << page->order;
        if (buddy >= zone->first && buddy < zone->end) { /* B I2 */
            CHECK(q,
                  !quire_zone_is_free_head(page + ((int64_t)buddy - (int64_t)frame), page->order));
        }
    }
}

static void audit_used(struct quire *q, const struct quire_page *page, struct recount *sum) {
    CHECK(q, page->flags & QUIRE_PAGE_HEAD);
    if (!(page->flags & QUIRE_PAGE_LRU)) {
        return;
    }
    CHECK(q, page->use >= QUIRE_USE_ANON); /* L I2 */
    sum->lru[quire_lru_kind_of(page)] += (uint64_t)1 << page->order;
}

/* The frames of one range of RAM in one zone, block by block. */
static void audit_range(struct quire *q, const struct quire_zone *zone, uint32_t first,
                        uint32_t end, struct recount *sum) {
    const struct quire_phys *phys = q->phys;
    for (uint32_t frame = first; frame < end;) {
        const struct quire_page *page = &phys->table[frame - phys->first];
        CHECK(q, page->use < QUIRE_NUSES && page->order < QUIRE_NORDERS);
        uint32_t nframes = 1u << page->order;
        CHECK(q, (frame & (nframes - 1)) == 0 && end - frame >= nframes); /* B I1 */
        sum->uses[page->use] += nframes;
        for (uint32_t tail = 1; tail < nframes; tail++) {
            CHECK(q, !(page[tail].flags & QUIRE_PAGE_HEAD)); /* B I1 */
        }
        if (page->use == QUIRE_USE_FREE) {
            audit_free(q, zone, page, frame, sum);
        } else if (page->use != QUIRE_USE_RESERVED) {
            audit_used(q, page, sum);
        }
        frame += nframes;
    }
}

static void audit_hole(struct quire *q, uint32_t first, uint32_t end) {
    for (uint32_t frame = first; frame < end; frame++) {
        CHECK(q, q->phys->table[frame - q->phys->first].use == QUIRE_USE_RESERVED); /* P I2 */
    }
}

/* The buddy lists of one order and type; returns their blocks. */
static uint64_t audit_list(struct quire *q, const struct quire_zone *zone, unsigned order,
                           unsigned type) {
    const struct quire_blocks *blocks = &zone->free[order][type];
    const struct quire_list *head = &blocks->list;
    uint64_t listed = 0;
    for (const struct quire_list *link = head->next; link != head; link = link->next) {
        const struct quire_page *page = QUIRE_CONTAINER(link, struct quire_page, link);
        uint32_t frame = quire_zone_frame(q->phys, page);
        CHECK(q, link->next->prev == link);
        CHECK(q, quire_zone_is_free_head(page, order)); /* B I1 */
        CHECK(q, frame >= zone->first && frame < zone->end);
        CHECK(q, quire_zone_type(q->phys, frame) == type);
        listed++;
    }
    CHECK(q, listed == blocks->count); /* B I3 */
    CHECK(q, (zone->nonempty[type] >> order & 1) == (listed > 0));
    return listed;
}

/* Blocks of that order on the stacks of all processors. */
static uint64_t audit_stacks(struct quire *q, const struct quire_zone *zone, unsigned order) {
    uint64_t blocks = 0;
    for (unsigned cpu = 0; cpu < q->phys->ncpus; cpu++) {
        for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
            unsigned class = QUIRE_CLASS(zone - q->phys->zones, type);
            const struct quire_hot *hot = &q->phys->pcps[cpu].hot[order][class];
            CHECK(q, quire_hot_count(hot) <= hot->max); /* pcp I3 */
            for (uint32_t i = 0; i < quire_hot_count(hot); i++) {
                const struct quire_page *page = hot->pages[i];
                uint32_t frame = quire_zone_frame(q->phys, page);
                CHECK(q, page->use == QUIRE_USE_FREE && page->flags == 0); /* pcp I1 */
                CHECK(q, page->order == order && frame >= zone->first && frame < zone->end);
            }
            blocks += quire_hot_count(hot);
        }
    }
    return blocks;
}

static void audit_zone(struct quire *q, const struct quire_zone *zone, struct recount *sum) {
    const struct quire_phys *phys = q->phys;
    uint64_t listed = 0, free = sum->uses[QUIRE_USE_FREE];
    for (unsigned i = 0; i < phys->nranges; i++) {
        uint32_t first = phys->ranges[i].first, end = phys->ranges[i].end;
        first = first > zone->first ? first : zone->first;
        end = end < zone->end ? end : zone->end;
        if (first < end) {
            audit_range(q, zone, first, end, sum);
        }
    }
    for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
        for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
            uint64_t blocks = audit_list(q, zone, order, type);
            CHECK(q, blocks == sum->blocks[order][type]);
            listed += blocks << order;
        }
        CHECK(q, sum->hot[order] == audit_stacks(q, zone, order));
    }
    CHECK(q, listed == zone->nfree); /* B I4 */
    CHECK(q, sum->uses[QUIRE_USE_FREE] - free == quire_zone_nfree(phys, zone));
    CHECK(q, zone->watermark[QUIRE_WMARK_MIN] <= zone->watermark[QUIRE_WMARK_LOW]); /* Z I3 */
    CHECK(q, zone->watermark[QUIRE_WMARK_LOW] <= zone->watermark[QUIRE_WMARK_HIGH]);
    __builtin_memset(sum->blocks, 0, sizeof sum->blocks);
    __builtin_memset(sum->hot, 0, sizeof sum->hot);
}

/* pcp I2: with floor[mode] frames on a stack, the mode's reserve is there. */
static void audit_floor(struct quire *q) {
    const struct quire_phys *phys = q->phys;
    const struct quire_zone *zone = &phys->zones[phys->fast_zone];
    CHECK(q, phys->fast == &phys->pcp->hot[0][QUIRE_CLASS(phys->fast_zone, 0)]);
    for (unsigned mode = 0; mode < 3; mode++) {
        CHECK(q, phys->floor[mode] + zone->nfree >= zone->reserve[mode]);
    }
}

void quire_phys_audit(struct quire *q) {
    const struct quire_phys *phys = q->phys;
    struct recount sum = {0};
    uint32_t end = phys->first;
    uint64_t total = 0;

    for (unsigned i = 0; i < phys->nranges; i++) {
        audit_hole(q, end, phys->ranges[i].first);
        end = phys->ranges[i].end;
    }
    CHECK(q, end == phys->end);
    end = phys->first;
    for (unsigned i = 0; i < QUIRE_NZONES; i++) {
        CHECK(q, phys->zones[i].first == end); /* Z I2 */
        end = phys->zones[i].end;
        audit_zone(q, &phys->zones[i], &sum);
    }
    CHECK(q, end == phys->end);
    for (unsigned use = 0; use < QUIRE_NUSES; use++) { /* P I1 */
        CHECK(q, sum.uses[use] == quire_page_count(q, use));
        total += sum.uses[use];
    }
    CHECK(q, total == phys->total);
    audit_floor(q);
    quire_lru_audit(q, sum.lru);
}
