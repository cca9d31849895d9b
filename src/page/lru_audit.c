/* lru_audit.c: the slow truth about the queues of pages, against what lru.c and shadow.c count.
 *
 * audit.c has walked the frame table and counted the frames that carry the flag LRU; here each
 * queue is walked and must hold exactly those, each page in the queue that its policy bits name,
 * and the policy is asked whether its state makes sense. Then the table of shadows is recounted.
 * O(pages in queues + shadows). Holds the invariants of lru.c (L) and shadow.c (S). Panics at the
 * first difference.
 */
#include "base/check.h"
#include "page/zone.h"

static uint64_t audit_queue(struct quire *q, const struct quire_aging *aging,
                            enum quire_lru_kind kind, unsigned queue) {
    const struct quire_list *head = &aging->queue[queue];
    uint64_t frames = 0;
    for (const struct quire_list *link = head->next; link != head; link = link->next) {
        const struct quire_page *page = QUIRE_CONTAINER(link, struct quire_page, link);
        CHECK(q, link->next->prev == link);
        CHECK(q, page->flags & QUIRE_PAGE_LRU);                                   /* L I1 */
        CHECK(q, quire_page_queue(page) == queue);                                /* L I1 */
        CHECK(q, page->use >= QUIRE_USE_ANON && quire_lru_kind_of(page) == kind); /* L I2 */
        frames += (uint64_t)1 << page->order;
    }
    return frames;
}

static void audit_aging(struct quire *q, struct quire_aging *aging, enum quire_lru_kind kind,
                        uint64_t flagged) {
    uint64_t all = 0, active = 0;
    for (unsigned queue = 0; queue < QUIRE_POLICY_QUEUES; queue++) {
        uint64_t frames = audit_queue(q, aging, kind, queue);
        CHECK(q, frames == aging->length[queue]); /* L I3 */
        CHECK(q, frames == 0 || queue < aging->policy->nqueues);
        all += frames;
        active += aging->active >> queue & 1 ? frames : 0;
    }
    CHECK(q, all == aging->npages && active == aging->nactive && all == flagged); /* L I3 */
    CHECK(q, !aging->policy->audit || aging->policy->audit(aging));
}

static void audit_shadows(struct quire *q) {
    const struct quire_queues *lru = &q->phys->lru;
    uint64_t used = 0;
    for (uint64_t number = 0; number < lru->sets; number++) {
        const struct quire_shadow_entry *set = quire_shadow_set(q, number);
        for (unsigned way = 0; way < QUIRE_SHADOW_WAYS; way++) {
            used += set[way].shadow != 0;
        }
    }
    CHECK(q, used == lru->shadows); /* S I1 */
}

void quire_lru_audit(struct quire *q, const uint64_t frames[QUIRE_LRU_KINDS]) {
    struct quire_queues *lru = &q->phys->lru;
    for (unsigned kind = 0; kind < QUIRE_LRU_KINDS; kind++) {
        if (lru->aging[kind].policy) { /* not yet, while the rooms come up */
            audit_aging(q, &lru->aging[kind], kind, frames[kind]);
        } else {
            CHECK(q, frames[kind] == 0);
        }
    }
    audit_shadows(q);
}
