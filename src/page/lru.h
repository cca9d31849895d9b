/* lru.h: the page lists that reclaim works on: active and inactive, anonymous and file.
 *
 * Only moves pages between lists and counts them; who is old is reclaim/'s to say. New entries go
 * to the head, reclaim takes from the tail. SHMEM pages are on the anonymous lists (they go to
 * swap).
 */
#ifndef QUIRE_PAGE_LRU_H
#define QUIRE_PAGE_LRU_H

#include "page/page.h"

enum quire_lru {
    QUIRE_LRU_INACTIVE_ANON,
    QUIRE_LRU_ACTIVE_ANON,
    QUIRE_LRU_INACTIVE_FILE,
    QUIRE_LRU_ACTIVE_FILE,
    QUIRE_NLRUS
};

void quire_lru_add(struct quire *q, struct quire_page *page, bool active); /* => on no list */
void quire_lru_remove(struct quire *q, struct quire_page *page);           /* => on a list */
void quire_lru_move(struct quire *q, struct quire_page *page, bool active, bool to_head);
struct quire_page *quire_lru_tail(struct quire *q, enum quire_lru list); /* NULL: empty */
uint64_t quire_lru_count(const struct quire *q, enum quire_lru list);
/* How many of a list's pages are frames first to end - 1. O(pages on the list). */
uint64_t quire_lru_count_between(const struct quire *q, enum quire_lru list, uint32_t first,
                                 uint32_t end);

#endif
