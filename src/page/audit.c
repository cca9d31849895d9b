/* audit.c: the slow truth about frames, against the fast counters and lists.
 *
 * One walk over the frame table, block by block, recounts uses, free blocks and list members from
 * nothing but the frames' own fields; then each list is walked and must hold exactly those.
 * O(frames). Holds the invariants of phys.c (P), buddy.c (B) and lru.c (L). Panics at the first
 * difference.
 */
#include "base/check.h"
#include "page/zone.h"

struct recount {
    uint64_t uses[QUIRE_NUSES];
    uint64_t blocks[QUIRE_NORDERS];
    uint64_t hot;
    uint64_t lru[QUIRE_NLRUS];
};

/* A free block's head, or a hot frame. */
static void audit_free(struct quire *q, const struct quire_page *page, uint32_t frame,
                       struct recount *sum) {
    const struct quire_zone *zone = &q->phys->zone;
    if (!(page->flags & QUIRE_PAGE_HEAD)) {
        CHECK(q, page->order == 0); /* B I5 */
        sum->hot++;
        return;
    }
    sum->blocks[page->order]++;
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
    CHECK(q, page->use >= QUIRE_USE_ANON && page->order == 0); /* L I2 */
    bool active = (page->flags & QUIRE_PAGE_ACTIVE) != 0;
    if (page->use == QUIRE_USE_FILE) {
        sum->lru[active ? QUIRE_LRU_ACTIVE_FILE : QUIRE_LRU_INACTIVE_FILE]++;
    } else {
        sum->lru[active ? QUIRE_LRU_ACTIVE_ANON : QUIRE_LRU_INACTIVE_ANON]++;
    }
}

/* The frames of one range of RAM, block by block. */
static void audit_range(struct quire *q, uint32_t first, uint32_t end, struct recount *sum) {
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
            audit_free(q, page, frame, sum);
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

static void audit_zone(struct quire *q, const struct recount *sum) {
    const struct quire_zone *zone = &q->phys->zone;
    uint64_t free = 0;

    for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
        uint64_t listed = 0;
        const struct quire_list *head = &zone->free[order];
        for (const struct quire_list *link = head->next; link != head; link = link->next) {
            const struct quire_page *page = QUIRE_CONTAINER(link, struct quire_page, link);
            CHECK(q, link->next->prev == link);
            CHECK(q, quire_zone_is_free_head(page, order)); /* B I1 */
            listed++;
        }
        CHECK(q, listed == zone->nblocks[order] && listed == sum->blocks[order]); /* B I3 */
        CHECK(q, (zone->nonempty >> order & 1) == (listed > 0));
        free += listed << order;
    }
    CHECK(q, zone->nhot <= zone->hot_max && sum->hot == zone->nhot); /* B I5 */
    for (unsigned i = 0; i < zone->nhot; i++) {
        const struct quire_page *page = zone->hot[i];
        CHECK(q, page->use == QUIRE_USE_FREE && page->flags == 0 && page->order == 0);
    }
    CHECK(q, free + zone->nhot == zone->nfree); /* B I4 */
    CHECK(q, sum->uses[QUIRE_USE_FREE] == zone->nfree);
}

static void audit_lru(struct quire *q, const struct recount *sum) {
    const struct quire_phys *phys = q->phys;
    for (unsigned list = 0; list < QUIRE_NLRUS; list++) {
        bool file = list == QUIRE_LRU_INACTIVE_FILE || list == QUIRE_LRU_ACTIVE_FILE;
        bool active = list == QUIRE_LRU_ACTIVE_ANON || list == QUIRE_LRU_ACTIVE_FILE;
        uint64_t listed = 0;
        const struct quire_list *head = &phys->lru[list];
        for (const struct quire_list *link = head->next; link != head; link = link->next) {
            const struct quire_page *page = QUIRE_CONTAINER(link, struct quire_page, link);
            CHECK(q, link->next->prev == link);
            CHECK(q, (page->flags & QUIRE_PAGE_LRU) &&
                         ((page->flags & QUIRE_PAGE_ACTIVE) != 0) == active); /* L I1 */
            CHECK(q, (page->use == QUIRE_USE_FILE) == file);                  /* L I2 */
            listed++;
        }
        CHECK(q, listed == phys->nlru[list] && listed == sum->lru[list]); /* L I3 */
    }
}

void quire_phys_audit(struct quire *q) {
    const struct quire_phys *phys = q->phys;
    struct recount sum = {0};
    uint32_t end = phys->first;
    uint64_t total = 0;

    for (unsigned i = 0; i < phys->nranges; i++) {
        audit_hole(q, end, phys->ranges[i].first);
        audit_range(q, phys->ranges[i].first, phys->ranges[i].end, &sum);
        end = phys->ranges[i].end;
    }
    CHECK(q, end == phys->end);
    for (unsigned use = 0; use < QUIRE_NUSES; use++) { /* P I1 */
        CHECK(q, sum.uses[use] == quire_page_count(q, use));
        total += sum.uses[use];
    }
    CHECK(q, total == phys->total);
    audit_zone(q, &sum);
    audit_lru(q, &sum);
}
