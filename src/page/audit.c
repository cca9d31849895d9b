/* audit.c: the slow truth about frames, against the fast counters and sets.
 *
 * One walk over the frames, block by block, recounts uses, free blocks and members of lists from
 * nothing but the frames' own tags and structs; then each set and stack must hold exactly those.
 * O(frames). Holds the invariants of phys.c (P), zone.c (Z), buddy.c (B), page.c and pcp.c; the
 * queues of pages are lru_audit.c's. Panics at the first difference.
 */
#include "base/check.h"
#include "page/zone.h"

struct recount {
    uint64_t uses[QUIRE_NUSES];
    uint64_t lru[QUIRE_LRU_KINDS]; /* frames */
    /* Of the zone that is walked. */
    uint64_t blocks[QUIRE_NORDERS][QUIRE_NMIGRATE];
    uint64_t hot[QUIRE_NORDERS]; /* free, and in no buddy set */
};

/* A free block's head, or a block on a processor's stack. */
static void audit_free(struct quire *q, const struct quire_zone *zone, uint32_t frame,
                       struct recount *sum) {
    uint8_t tag = *quire_zone_tag(q->phys, frame);
    unsigned order = quire_tag_order(tag), type = quire_zone_type(q->phys, frame);
    if (!(tag & QUIRE_TAG_HEAD)) {
        sum->hot[order]++;
        return;
    }
    CHECK(q, type < QUIRE_NMIGRATE && (type & ~q->phys->type_mask) == 0);
    CHECK(q, *quire_zone_class(q->phys, frame) == QUIRE_CLASS(zone - q->phys->zones, type));
    CHECK(q,
          quire_blockset_has(&zone->free[order][type], (frame - zone->base) >> order)); /* B I1 */
    sum->blocks[order][type]++;
    if (order + 1 < QUIRE_NORDERS) {
        uint32_t buddy = frame ^ 1u << order;
        if (buddy >= zone->first && buddy < zone->end) { /* B I2 */
            CHECK(q, *quire_zone_tag(q->phys, buddy) != tag);
        }
    }
}

/* page.c I2: the struct says the same as the tag, or nothing. */
static void audit_used(struct quire *q, uint32_t frame, struct recount *sum) {
    const struct quire_page *page = quire_zone_page(q->phys, frame);
    uint8_t tag = *quire_zone_tag(q->phys, frame);
    CHECK(q, tag & QUIRE_TAG_HEAD);
    if (page->use == QUIRE_USE_RESERVED) { /* quire_frames_alloc */
        CHECK(q, quire_tag_use(tag) == QUIRE_USE_KERNEL);
    } else {
        CHECK(q, tag == QUIRE_TAG_OF(page->use, page->order));
    }
    if (page->flags & QUIRE_PAGE_LRU) {
        CHECK(q, page->use >= QUIRE_USE_ANON); /* L I2 */
        sum->lru[quire_lru_kind_of(page)] += (uint64_t)1 << page->order;
    }
}

/* ... and that of a frame that is nobody's page is zero. */
static void audit_struct(struct quire *q, uint32_t frame) {
    const struct quire_page *page = quire_zone_page(q->phys, frame);
    CHECK(q, page->use == QUIRE_USE_RESERVED && page->order == 0 && page->flags == 0);
    CHECK(q, !page->owner && page->index == 0 && page->policy == 0);
    CHECK(q, !page->rmap.space && page->nmaps == 0 && page->pins == 0);
}

/* The frames of one range of RAM in one zone, block by block. */
static void audit_range(struct quire *q, const struct quire_zone *zone, uint32_t first,
                        uint32_t end, struct recount *sum) {
    const struct quire_phys *phys = q->phys;
    for (uint32_t frame = first; frame < end;) {
        uint8_t tag = *quire_zone_tag(phys, frame);
        uint32_t nframes = quire_tag_frames(tag);
        CHECK(q, quire_tag_order(tag) < QUIRE_NORDERS);
        CHECK(q, (frame & (nframes - 1)) == 0 && end - frame >= nframes); /* B I1 */
        sum->uses[quire_tag_use(tag)] += nframes;
        for (uint32_t tail = 1; tail < nframes; tail++) {
            CHECK(q, !(*quire_zone_tag(phys, frame + tail) & QUIRE_TAG_HEAD)); /* B I1 */
        }
        if (quire_tag_use(tag) == QUIRE_USE_FREE) {
            audit_free(q, zone, frame, sum);
        } else if (tag != QUIRE_TAG(QUIRE_USE_RESERVED, 0)) {
            audit_used(q, frame, sum);
        }
        for (uint32_t i = 0; quire_tag_use(tag) <= QUIRE_USE_FREE && i < nframes; i++) {
            audit_struct(q, frame + i);
        }
        frame += nframes;
    }
}

static void audit_hole(struct quire *q, uint32_t first, uint32_t end) {
    for (uint32_t frame = first; frame < end; frame++) {
        CHECK(q, *quire_zone_tag(q->phys, frame) == QUIRE_TAG(QUIRE_USE_RESERVED, 0)); /* P I2 */
    }
}

/* The set of one order and type, whose members were found: no others are in it. Returns their
 * number. */
static uint64_t audit_set(struct quire *q, const struct quire_zone *zone, unsigned order,
                          unsigned type, uint64_t found) {
    const struct quire_blockset *set = &zone->free[order][type];
    CHECK(q, zone->first == zone->end ||
                 quire_blockset_is_sound(set, quire_zone_numbers(zone, order)));
    CHECK(q, set->count == found);
    CHECK(q, (zone->nonempty[type] >> order & 1) == (found > 0)); /* B I3 */
    return found;
}

/* Blocks of that order on the stacks of all processors. */
static uint64_t audit_stacks(struct quire *q, const struct quire_zone *zone, unsigned order) {
    uint64_t blocks = 0;
    for (unsigned cpu = 0; cpu < q->phys->ncpus; cpu++) {
        for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
            unsigned class = QUIRE_CLASS(zone - q->phys->zones, type);
            const struct quire_hot *hot = &q->phys->pcps[cpu].hot[order][class];
            CHECK(q, hot->count <= hot->max); /* pcp I3 */
            for (uint32_t i = 0; i < hot->count; i++) {
                uint32_t frame = hot->frames[i];
                CHECK(q, frame >= zone->first && frame < zone->end);
                CHECK(q, *quire_zone_tag(q->phys, frame) ==
                             QUIRE_TAG(QUIRE_USE_FREE, order)); /* pcp I1 */
            }
            blocks += hot->count;
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
            listed += audit_set(q, zone, order, type, sum->blocks[order][type]) << order;
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
    CHECK(q, phys->fast_class == QUIRE_CLASS(phys->fast_zone, 0));
    CHECK(q, phys->fast == &phys->pcp->hot[0][phys->fast_class]);
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
