/* reclaim.h: getting frames back: scan, kswapd, the OOM killer. Called by core/ only. */
#ifndef QUIRE_RECLAIM_RECLAIM_H
#define QUIRE_RECLAIM_RECLAIM_H

#include "page/page.h"

/* Direct reclaim: an allocation failed that zones up to `highest` could have served. Frees at least
 * some of their frames if it can; returns how many. */
uint64_t quire_reclaim_direct(struct quire *q, unsigned highest);

/* kswapd's batch in a tick: works towards `high` after free fell below `low`. */
void quire_reclaim_background(struct quire *q);
bool quire_reclaim_wanted(const struct quire *q);

/* Time passes: bring the averages of pressure up to date. O(1). */
void quire_reclaim_psi_tick(struct quire *q);

/* Evict one page range's pages now (PAGEOUT) is reclaim over the given page. True if it was freed.
 */
bool quire_reclaim_page(struct quire *q, struct quire_page *page);

/* Move pages so that a block of that order becomes free in a zone up to `highest`. True: there is
 * one. */
bool quire_compact_direct(struct quire *q, unsigned order, unsigned highest);
/* A tick's part of the same, if a request was refused for want of a block. */
void quire_compact_background(struct quire *q);

/* Nothing can be reclaimed: choose the worst space, say why, have it killed. False: nobody may be.
 */
bool quire_reclaim_oom(struct quire *q);

/* boot.c. QUIRE_INVAL: swappiness or the policy's description is out of range; QUIRE_NOMEM. */
enum quire_status quire_reclaim_boot(struct quire *q, const struct quire_config *config);
void quire_reclaim_shutdown(struct quire *q);

#endif
