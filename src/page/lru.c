/* lru.c: four lists of pages by age and kind.
 *
 * Only keeps lists and counts. Who moves where and when is reclaim's policy; which frames may be
 * here at all is vm's. The kind comes from the page's use, so that a page cannot be on the wrong
 * list.
 *
 *                 head, newest               tail, reclaim looks here first
 *     active      [ p ]-[ p ]-[ p ]-  ...  -[ p ]--.  quire_lru_move(active false, to_head)
 *     inactive    [ p ]-[ p ]-[ p ]-  ...  -[ p ]<-'  ... taken off by quire_lru_remove
 *
 * Invariants:
 *   I1  flag LRU is set exactly when the page is on a list; ACTIVE then says which of the two
 *   I2  FILE pages are on file lists, ANON and SHMEM pages on anonymous ones, no others on any
 *   I3  nlru counts the pages of each list
 *
 * Nothing can fail. Called by vm/ and reclaim/. Audit: audit.c.
 */
#include "page/lru.h"

#include "base/check.h"
#include "page/zone.h"

/* The list for this page (I1, I2). */
static enum quire_lru list_of(const struct quire_page *page, bool active) {
    if (page->use == QUIRE_USE_FILE) {
        return active ? QUIRE_LRU_ACTIVE_FILE : QUIRE_LRU_INACTIVE_FILE;
    }
    return active ? QUIRE_LRU_ACTIVE_ANON : QUIRE_LRU_INACTIVE_ANON;
}

static void put(struct quire *q, struct quire_page *page, bool active, bool to_head) {
    enum quire_lru list = list_of(page, active);
    page->flags |= QUIRE_PAGE_LRU;
    if (active) {
        page->flags |= QUIRE_PAGE_ACTIVE;
    }
    if (to_head) {
        quire_list_add_after(&q->phys->lru[list], &page->link);
    } else {
        quire_list_add_before(&q->phys->lru[list], &page->link);
    }
    q->phys->nlru[list]++;
}

void quire_lru_add(struct quire *q, struct quire_page *page, bool active) {
    CHECK(q, !(page->flags & QUIRE_PAGE_LRU));
    CHECK(q, page->use >= QUIRE_USE_ANON && page->order == 0);
    put(q, page, active, true);
}

void quire_lru_remove(struct quire *q, struct quire_page *page) {
    CHECK(q, page->flags & QUIRE_PAGE_LRU);
    quire_list_remove(&page->link);
    q->phys->nlru[list_of(page, (page->flags & QUIRE_PAGE_ACTIVE) != 0)]--;
    page->flags &= (uint8_t) ~(QUIRE_PAGE_LRU | QUIRE_PAGE_ACTIVE);
}

void quire_lru_move(struct quire *q, struct quire_page *page, bool active, bool to_head) {
    quire_lru_remove(q, page);
    put(q, page, active, to_head);
}

struct quire_page *quire_lru_tail(struct quire *q, enum quire_lru list) {
    struct quire_list *head = &q->phys->lru[list];
    return quire_list_empty(head) ? NULL : QUIRE_CONTAINER(head->prev, struct quire_page, link);
}

uint64_t quire_lru_count(const struct quire *q, enum quire_lru list) {
    return q->phys->nlru[list];
}

uint64_t quire_lru_count_between(const struct quire *q, enum quire_lru list, uint32_t first,
                                 uint32_t end) {
    const struct quire_list *head = &q->phys->lru[list];
    uint64_t count = 0;
    for (const struct quire_list *link = head->next; link != head; link = link->next) {
        uint32_t frame = quire_zone_frame(q->phys, QUIRE_CONTAINER(link, struct quire_page, link));
        count += frame >= first && frame < end;
    }
    return count;
}
