/* isolate.c: what compaction wants from the free blocks: just these frames, and merged at once.
 *
 * An allocation takes any frame and a free may leave it on a processor's stack. Compaction chooses
 * by place: the free frames of one stretch as targets, and what it emptied must merge now, because
 * that is the point of it (reclaim/compact.c).
 *
 * Invariants: those of buddy.c and pcp.c. Nothing can fail. Called by reclaim/. Audit: audit.c.
 */
#include "base/check.h"
#include "page/zone.h"

void quire_page_isolate(struct quire *q, quire_frame head, struct quire_list *list) {
    struct quire_phys *phys = q->phys;
    struct quire_zone *zone = quire_zone_of(phys, head.number);
    unsigned order = quire_page_state(q, head).order;
    struct quire_page *page = quire_zone_page(phys, head.number);
    CHECK(q, *quire_zone_tag(phys, head.number) == QUIRE_TAG_OF(QUIRE_USE_FREE, order));
    quire_buddy_carve(phys, zone, head.number, order, order);
    phys->out[QUIRE_USE_KERNEL] += (uint64_t)1 << order;
    for (uint32_t i = 0; i < 1u << order; i++) {
        *quire_zone_tag(phys, head.number + i) = QUIRE_TAG_OF(QUIRE_USE_KERNEL, 0);
        page[i] = (struct quire_page){.use = QUIRE_USE_KERNEL};
        quire_list_add_before(list, &page[i].link);
    }
    quire_pcp_set_floor(phys);
}

void quire_page_free_home(struct quire *q, struct quire_page *page) {
    struct quire_phys *phys = q->phys;
    uint32_t frame = quire_page_frame(q, page).number;
    CHECK(q, page->order == 0);
    enum quire_page_use use = quire_zone_retire(q, page, frame);
    phys->back[use]++;
    quire_buddy_give(phys, quire_zone_of(phys, frame), frame, 0);
    quire_pcp_set_floor(phys);
}

void quire_page_drain(struct quire *q) {
    for (unsigned i = 0; i < QUIRE_NZONES; i++) {
        quire_pcp_drain(q->phys, &q->phys->zones[i]);
    }
    quire_pcp_set_floor(q->phys);
}

unsigned quire_page_failed_order(const struct quire *q) {
    return q->phys->failed_order;
}

unsigned quire_page_top_zone(const struct quire *q) {
    return q->phys->top;
}

unsigned quire_page_failed_zone(struct quire *q) {
    unsigned zone = q->phys->failed_zone;
    q->phys->failed_zone = q->phys->top;
    return zone;
}

unsigned quire_page_wanted_zone(const struct quire *q) {
    return q->phys->wanted_zone;
}

void quire_page_forget_zone(struct quire *q) {
    q->phys->wanted_zone = QUIRE_NZONES;
}

void quire_page_bounds(const struct quire *q, unsigned highest, uint32_t *first, uint32_t *end) {
    *first = q->phys->first;
    *end = q->phys->zones[highest].end;
}

unsigned quire_page_wanted_order(struct quire *q, bool forget) {
    unsigned order = q->phys->wanted_order;
    if (forget) {
        q->phys->wanted_order = 0;
    }
    return order;
}
