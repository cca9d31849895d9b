/* lock.h: pages that locked regions and objects keep in RAM, for the files of this room. */
#ifndef QUIRE_VM_LOCK_H
#define QUIRE_VM_LOCK_H

#include "page/page.h"
#include "swap/swap.h"
#include "vm/region.h"

/* A locked region maps the page from now on, or its object is locked: off its list. O(1). */
void quire_lock_page(struct quire *q, struct quire_page *page);

/* A mapping of the page went, or its region or object is not locked any more: back on a list if
 * nothing else keeps it. O(1) for pages that are not locked, else O(mappings * log regions). */
void quire_lock_review(struct quire *q, struct quire_page *page);

/* Give the region these locks (of QUIRE_REGION_LOCKS), its pages too. Returns what it is merged
 * into. O(pages), O(1) if it has them. */
struct quire_region *quire_lock_region(struct quire_space *space, struct quire_region *region,
                                       unsigned locks);

/* An anon's page is in RAM now: onto a list, with the shadow of its eviction, or kept. O(1). */
void quire_lock_or_list(struct quire *q, const struct quire_anon *anon, uint32_t shadow);

/* Does a locked region map it, or a locked object own it? The slow truth. */
bool quire_lock_holds(const struct quire_page *page);

#endif
