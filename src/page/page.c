/* page.c: the frame table's questions and answers: page to frame to window and back, uses and
 * counts, the public frame calls.
 *
 * Everything here is a few instructions; the work is buddy.c's. Windows are worked out from the
 * bases that boot stored, not asked from the machine: the port promises that they are linear in a
 * range.
 *
 * Invariants: those of phys.c. What may fail: quire_page_alloc, quire_frames_alloc. Called by all
 * rooms above. Audit: audit.c.
 */
#include <quire/kmem.h>

#include "base/check.h"
#include "page/zone.h"

struct quire_page *quire_page_alloc(struct quire *q, unsigned order, enum quire_page_use use,
                                    enum quire_alloc_mode mode) {
    if (mode != QUIRE_ALLOC_RECLAIM && quire_page_should_fail(q)) {
        return NULL;
    }
    return quire_zone_alloc(q, order, use, mode);
}

bool quire_page_fails_now(struct quire *q) {
    q->fail_asked++;
    if (q->fail_length > 0 && q->fail_asked >= q->fail_first &&
        q->fail_asked - q->fail_first < q->fail_length) {
        return true;
    }
    if (q->fail_one_in >
        0) { /* the upper bits of a product are as random as it: Fibonacci hashing */
        uint64_t hash = (q->fail_seed ^ q->fail_asked) * 0x9E3779B97F4A7C15u;
        hash = (hash ^ (hash >> 32)) * 0xBF58476D1CE4E5B9u;
        return (hash >> 32) * q->fail_one_in >> 32 == 0;
    }
    if (++q->fail_count < q->fail_every) {
        return false;
    }
    q->fail_count = 0;
    return true;
}

struct quire_page *quire_page_at(struct quire *q, quire_frame frame) {
    struct quire_phys *phys = q->phys;
    CHECK(q, frame.number - phys->first < phys->end - phys->first);
    return &phys->table[frame.number - phys->first];
}

quire_frame quire_page_frame(struct quire *q, const struct quire_page *page) {
    return (quire_frame){q->phys->first + (uint32_t)(page - q->phys->table)};
}

void *quire_page_window(struct quire *q, const struct quire_page *page) {
    return quire_frame_window(q, quire_page_frame(q, page));
}

void *quire_frame_window(struct quire *q, quire_frame frame) {
    const struct quire_phys *phys = q->phys;
    unsigned i = 0;
    while (frame.number >= phys->ranges[i].end) {
        i++;
        CHECK(q, i < phys->nranges);
    }
    CHECK(q, frame.number >= phys->ranges[i].first); /* else a hole */
    return phys->ranges[i].window +
           ((size_t)(frame.number - phys->ranges[i].first) << QUIRE_PAGE_SHIFT);
}

struct quire_page *quire_page_under(struct quire *q, const void *pointer) {
    const struct quire_phys *phys = q->phys;
    for (unsigned i = 0; i < phys->nranges; i++) {
        uintptr_t offset = (uintptr_t)pointer - (uintptr_t)phys->ranges[i].window;
        uintptr_t number = offset >> QUIRE_PAGE_SHIFT;
        if (number < phys->ranges[i].end - phys->ranges[i].first) {
            return &phys->table[phys->ranges[i].first - phys->first + number];
        }
    }
    return NULL;
}

void quire_page_set_use(struct quire *q, struct quire_page *page, enum quire_page_use use) {
    CHECK(q, page->use > QUIRE_USE_FREE && use > QUIRE_USE_FREE && page->order == 0);
    CHECK(q, !(page->flags & QUIRE_PAGE_LRU)); /* the list depends on the use */
    q->phys->counts[page->use]--;
    q->phys->counts[use]++;
    page->use = (uint8_t)(use & 15);
}

uint64_t quire_page_count(const struct quire *q, enum quire_page_use use) {
    return use == QUIRE_USE_FREE ? q->phys->zone.nfree : q->phys->counts[use];
}

uint64_t quire_page_total(const struct quire *q) {
    return q->phys->total;
}

uint64_t quire_page_free_blocks(const struct quire *q, unsigned order) {
    const struct quire_zone *zone = &q->phys->zone;
    return zone->nblocks[order] + (order == 0 ? zone->nhot : 0);
}

uint64_t quire_page_watermark(const struct quire *q, enum quire_watermark mark) {
    return q->phys->zone.watermark[mark];
}

enum quire_status quire_frames_alloc(struct quire *q, unsigned order, quire_frame *out) {
    if (order >= QUIRE_NORDERS) {
        return QUIRE_INVAL;
    }
    struct quire_page *page = quire_page_alloc(q, order, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    if (!page) {
        return QUIRE_NOMEM;
    }
    *out = quire_page_frame(q, page);
    return QUIRE_OK;
}

void quire_frames_free(struct quire *q, quire_frame frame, unsigned order) {
    struct quire_page *page = quire_page_at(q, frame);
    CHECK(q, page->use == QUIRE_USE_KERNEL && page->order == order);
    quire_page_free(q, page);
}
