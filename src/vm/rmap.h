/* rmap.h: who maps a frame. */
#ifndef QUIRE_VM_RMAP_H
#define QUIRE_VM_RMAP_H

#include "page/page.h"

/* The entry of page for this place, or NULL. O(mappings of the page). */
struct quire_rmap *quire_rmap_find(struct quire_page *page, const struct quire_space *space,
                                   uint64_t va);

/* Will quire_rmap_add for this place need a record? Then take one first. */
bool quire_rmap_needs_record(struct quire_page *page, const struct quire_space *space, uint64_t va);

/* Note a mapping; if it is known already, nothing happens. *record: from rmap_cache, or NULL if
 * none was needed; set to NULL if it was used. */
void quire_rmap_add(struct quire_page *page, struct quire_space *space, uint64_t va,
                    struct quire_rmap **record);

/* Forget a mapping, if it is there; the machine's tables are the caller's. */
void quire_rmap_remove(struct quire_page *page, struct quire_space *space, uint64_t va);

/* The page is at another place of the same space now; the machine has forgotten the old one. */
void quire_rmap_move(struct quire_page *page, const struct quire_space *space, uint64_t from,
                     uint64_t to);

/* Take the page out of all tables that map it. */
void quire_rmap_unmap_all(struct quire *q, struct quire_page *page);

/* Take write permission from all mappings. */
void quire_rmap_write_protect(struct quire_page *page);

/* Was the page accessed through any mapping since the last time? Clears what it finds. */
bool quire_rmap_harvest(struct quire_page *page);

/* Recount the chain. Panics. */
void quire_rmap_audit(struct quire *q, struct quire_page *page);

#endif
